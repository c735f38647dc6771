"""A program of the hospital that takes webhooks: it notes what arrives, and answers as a test says."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.loopback import Line, serving


class Received(NamedTuple):
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What arrived, and the statuses of the next answers; after them, and without any, 204."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def answer(self, *statuses: int, **headers: str) -> None:
        self.answers = [(status, headers) for status in statuses]

    def take(self, line: Line) -> None:
        self.received.append(Received(line.command, line.path, dict(line.headers), line.body))
        status, headers = self.answers.pop(0) if self.answers else (204, {})
        line.say(b"", status, **headers)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    with serving(receiver.take) as url:
        receiver.url = url.replace("/fhir", "/hook")
        yield receiver
