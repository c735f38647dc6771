"""Keeps in memory what the door hands over, as its database does."""

from collections.abc import Callable, Sequence
from datetime import datetime

from wardround.cds.exchange import Answer, Call, Heard
from wardround.cds.keeping import Feedback, Shown, StayKey, Told
from wardround.errors import DatabaseError


class Kept:
    """What was kept; with `broken`, nothing is, as if the database did not answer."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.last: dict[StayKey, Shown] = {}
        self.feedback: list[Feedback] = []
        self.broken = False

    def told(self, stay: StayKey, answer: Callable[[Shown | None], Told]) -> Answer:
        self._require()
        told = answer(self.last.get(stay))
        assert told.answer.call is not None
        self.calls.append(told.answer.call)
        if told.notification:
            self.last[stay] = Shown(told.notification, told.answer.call.card)
        return told.answer

    def kept(self, call: Call) -> None:
        self._require()
        self.calls.append(call)

    def heard(self, feedback: Sequence[Feedback], condition: str, arrived: datetime) -> Heard:  # noqa: ARG002
        self._require()
        self.feedback += feedback
        known = {call.card for call in self.calls}
        unknown = sum(one.card not in known for one in feedback)
        return Heard(len(feedback) - unknown, unknown)

    def _require(self) -> None:
        if self.broken:
            raise DatabaseError("the database: does not answer; start it")
