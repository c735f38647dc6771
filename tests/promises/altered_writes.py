"""Runs a gateway in front of a FHIR server that can change, drop or answer writes; reads pass through."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.loopback import Forward, Line, gateway_before

Bundle = dict[str, Any]
Alter = Callable[[Bundle, Callable[[Bundle], Bundle]], Bundle | None]
"""Given what is written and a way to forward it, returns the answer; None closes the connection."""


@dataclass
class WritesAltered:
    """The gateway. `alter` is asked about every batch and single write."""

    url: str = ""
    alter: Alter = lambda asked, forward: forward(asked)
    writes: list[str] = field(default_factory=list)


@contextmanager
def writes_altered(server: str) -> Iterator[WritesAltered]:
    """Yields a gateway to a server, until the block ends."""
    gate = WritesAltered()

    def meet(line: Line, forward: Forward) -> None:
        if line.command == "GET" or line.path.endswith("_search"):
            return line.pass_on(forward())
        gate.writes.append(f"{line.command} {line.path} {line.headers} {line.body.decode()}")
        status = 200

        def forwarded(asked: Bundle) -> Bundle:
            nonlocal status
            given = forward(json.dumps(asked).encode())
            status = given.status
            return given.bundle

        answer = gate.alter(json.loads(line.body), forwarded)
        return line.hang_up() if answer is None else line.say(answer, status)

    with gateway_before(server, meet) as gate.url:
        yield gate


def kinds(asked: Bundle) -> set[str]:
    """Returns the types of the resources that a batch or a single write holds."""
    return {entry["resource"]["resourceType"] for entry in asked.get("entry", [{"resource": asked}])}
