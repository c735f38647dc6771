"""Runs `wardround cds` as a child process: for the demo, the sandbox, benchmarks and tests."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from wardround.adapters.child_service import ChildService, child_service
from wardround.errors import WardroundError


@contextmanager
def running_door(*options: str, port: int = 0, environment: Mapping[str, str] | None = None) -> Iterator[ChildService]:
    """Runs the door with these options of `wardround cds` until the block ends; yields once it answers.

    `said["listening"]` is where, and `said["base_url"]` the URL that tokens must name. Without an environment, the
    child has this process's. Raises WardroundError if it cannot start; its own message is on stderr.
    """
    failure = WardroundError("cds: ended before it was ready; its message is above")
    arguments = ["cds", "--port", str(port), "--json", "--until-eof", *options]
    with child_service(arguments, failure, environment) as child:
        yield child
