"""The listener of the stream: takes messages of all sources in, and answers when they are on disk."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wardround.adapters.queue.intake import Intake
from wardround.errors import SpecError
from wardround.settings import Settings
from wardround.spec.loading import load_stream
from wardround.stream.doors import opened_doors
from wardround.stream.metrics import Metrics


@contextmanager
def opened(settings: Settings, intake: Intake, metrics: Metrics) -> Iterator[Callable[[], str]]:
    """Listens while the block runs; gives what returns why messages could not be stored a moment ago, else "".

    Raises WardroundError if it cannot begin.
    """
    stream = load_stream(settings.stream)
    if not any(source.listen for source in stream.sources.values()):
        raise SpecError(f"{settings.stream}: sources: none has a port, expected `listen` for one at least; add it")
    with opened_doors(stream, settings.stream.parent, intake, metrics) as doors:
        yield doors.trouble
