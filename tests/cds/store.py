"""A database of a test's own, and what several workers of the door keep in it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from tests.fixtures.icu import AS_OF

from wardround.adapters.database.database import opened
from wardround.cds.exchange import Call
from wardround.cds.keeping import Feedback, Keeping
from wardround.cds.kept_in_database import keeping_in

KEPT_FOR = timedelta(days=180)
HOUR = timedelta(hours=1)
MARK = "canary-4711"
PATIENT = 60.0
"""Seconds that a test waits for the database: longer than any load of this machine."""

Rows = list[dict[str, Any]]


class Store:
    """A database of a test's own, and what several workers keep in it."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self._url = url
        self._stack = stack

    def worker(self, within: float = PATIENT) -> Keeping:
        """Returns what one more worker keeps its calls in."""
        return self._stack.enter_context(self.working(within))

    @contextmanager
    def working(self, within: float = PATIENT) -> Iterator[Keeping]:
        with opened(self._url) as database, keeping_in(database, KEPT_FOR, within) as keeping:
            yield keeping

    def rows(self, *tables: Any) -> list[Rows]:
        with opened(self._url) as database, database.reading() as connection:
            return [[dict(row) for row in connection.execute(select(one)).mappings()] for one in tables]


def call(card: str, after: timedelta = timedelta(), **changed: Any) -> Call:
    """Returns a call that has alerted, for a time after AS_OF."""
    at = AS_OF + after
    given = {
        "at": at,
        "issuer": "",
        "service": "sepsis-risk",
        "hook": "patient-view",
        "as_of": at,
        "condition": "sepsis",
        "model_version": "1",
        "patient_key": "p",
        "inputs_digest": "d",
        "band": "high",
        "outcome": "card",
        "card": card,
    }
    return Call(**{**given, **changed})


def feedback(card: str, **changed: Any) -> Feedback:
    given = {"outcome": "overridden", "suggestions": (), "reason": None, "at": AS_OF, "comment": ""}
    return Feedback(**{"card": card, **given, **changed})
