"""What the door asks of whoever keeps its calls, its notifications and the feedback on its cards."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from wardround.cds.exchange import Answer, Call, Heard
from wardround.results.alert_policy import Notification


class StayKey(NamedTuple):
    """Whom people are told about: a stay by a keyed hash of its id, a condition, and the channel."""

    key: str
    condition: str
    channel: str


class Shown(NamedTuple):
    """What people were last told of a stay, and the uuid of the card that told them."""

    notification: Notification
    card: str


class Told(NamedTuple):
    """An answer, of which the call is kept, and what people are told by it; None if they are told nothing new."""

    answer: Answer
    notification: Notification | None


@dataclass(frozen=True)
class Feedback:
    """What a clinician did with a card.

    Attributes:
        card: the uuid of the card.
        outcome: accepted or overridden.
        suggestions: the ids of the suggestions that were accepted.
        reason: system and code of the override reason that was chosen; None for a plain dismissal.
        at: when, according to the client.
        comment: what the clinician wrote, which may name a patient: it is kept apart and never logged.
    """

    card: str
    outcome: Literal["accepted", "overridden"]
    suggestions: tuple[str, ...]
    reason: tuple[str, str] | None
    at: datetime
    comment: str

    def __repr__(self) -> str:
        return f"Feedback({self.outcome}, …)"


class Keeping(Protocol):
    """Where calls, notifications and feedback are kept. Each method is one transaction, and raises DatabaseError."""

    def told(self, stay: StayKey, answer: Callable[[Shown | None], Told]) -> Answer:
        """Gives `answer` what people were last told of the stay, keeps and returns what it returns, all or nothing.

        Nobody else tells of the same stay in between.
        """

    def kept(self, call: Call) -> None:
        """Keeps a call whose card tells nobody of a new risk."""

    def heard(self, feedback: Sequence[Feedback], condition: str, arrived: datetime) -> Heard:
        """Keeps feedback, the comments apart; returns how much of it is about cards that are known, and how much not.

        What was kept before, word for word, is kept once.
        """


class KeepsNothing:
    """Keeps nothing, for a sandbox or a playback: each call is answered as if it were the first about its stay."""

    def told(self, stay: StayKey, answer: Callable[[Shown | None], Told]) -> Answer:  # noqa: ARG002
        return answer(None).answer

    def kept(self, call: Call) -> None:
        pass

    def heard(self, feedback: Sequence[Feedback], condition: str, arrived: datetime) -> Heard:  # noqa: ARG002
        return Heard(known=0, unknown=len(feedback))
