"""Keeps in memory what the door hands over, as its database does."""

from collections.abc import Callable, Sequence
from datetime import datetime

from wardround.cds.exchange import Call
from wardround.cds.keeping import Feedback, StayKey, Told
from wardround.errors import DatabaseError
from wardround.results.alert_policy import Notification


class Kept:
    """What was kept; with `broken`, nothing is, as if the database did not answer."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.last: dict[StayKey, Notification] = {}
        self.feedback: list[Feedback] = []
        self.unknown = 0
        self.broken = False

    def told(self, stay: StayKey, answer: Callable[[Notification | None], Told]) -> None:
        self._require()
        told = answer(self.last.get(stay))
        self.calls.append(told.call)
        if told.notification:
            self.last[stay] = told.notification

    def kept(self, call: Call) -> None:
        self._require()
        self.calls.append(call)

    def heard(self, feedback: Sequence[Feedback], service: str, arrived: datetime) -> int:  # noqa: ARG002
        self._require()
        self.feedback += feedback
        known = {call.card for call in self.calls}
        self.unknown = sum(one.card not in known for one in feedback)
        return self.unknown

    def _require(self) -> None:
        if self.broken:
            raise DatabaseError("the database: does not answer; start it")
