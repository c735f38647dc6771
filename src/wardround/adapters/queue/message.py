"""What the queues hold: something put, the message that a stage takes, and what became of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection

from wardround.adapters.database.kept import Place, Row

DONE: Final = "done"
DEAD: Final = "dead"
LATER: Final = "later"
"""Leaves the message open until it is due again; any other outcome ends it."""


class Put(NamedTuple):
    """Something to be stored in the queue.

    Attributes:
        stage: who takes it: "flag", "query", "predict" or "notify".
        key: order is kept among the messages of one stage and key; a keyed hash, never a record number. A stage whose
            messages have one key handles them in total order.
        body: the data of patients.
        dedup: unique in a run and stage: what is put again is not stored again. The SHA-256 of source and body for a
            raw message, "<origin>:<branch>:<at>" for what follows from it.
        due: when it may be taken. Until then it holds no message back that was put later with the same key; from the
            time that it was first taken until it is finished, it does.
        received: when the raw message was received; it is handed down.
        source: the feed.
        branch: "<condition>/<branch id>".
        origin: the `seq` of the raw message; None for a raw message itself.
        as_of: of the prediction, handed down, from which the total time is counted; None if there is none yet.
    """

    stage: str
    key: str
    body: bytes
    dedup: str
    due: datetime
    received: datetime
    source: str
    branch: str = ""
    origin: int | None = None
    as_of: datetime | None = None

    def __repr__(self) -> str:
        """Returns nothing of a patient."""
        return f"Put({self.stage}, …)"


class Message(NamedTuple):
    """A message as a stage takes it, from `began` until `taken_until`.

    Attributes:
        attempts: that counted, with this one.
        lost: how often it was taken before by a process that was killed or stuck; these are no attempts.
        waits: how often it was put off before for what is not there yet; nor are these.
    """

    seq: int
    stage: str
    key: str
    body: bytes
    digest: bytes
    due: datetime
    received: datetime
    source: str
    branch: str
    origin: int | None
    as_of: datetime | None
    attempts: int
    began: datetime
    taken_until: datetime
    lost: int = 0
    waits: int = 0

    def followed_by(self, stage: str, key: str, body: bytes, dedup: str, *, due: datetime, as_of: datetime) -> Put:
        """Returns what follows from it for a prediction, with what is handed down."""
        return Put(stage, key, body, dedup, due, self.received, self.source, self.branch, self.origin, as_of)

    def __repr__(self) -> str:
        """Returns nothing of a patient."""
        return f"Message({self.seq}, {self.stage}, …)"


@dataclass(frozen=True)
class Done:
    """What became of a message. All of it is committed together, or nothing.

    Attributes:
        outcome: done, dead, cancelled, late, …, which end the message; or later, which leaves it open until `due`.
        reason: a rule and a place, never a value.
        outputs: what is put into the queues.
        kept: rows of the stage's own tables, None for one that goes. Of messages that are finished together, the last
            one to say something of a place is heard.
        state: writes more in the same transaction, after what earlier messages have put.
        due: when it is taken again, with the outcome later; None if it stays as it was.
        counts: whether this was one of the attempts after which a message is dead.
        waits: whether it is put off for what is not there yet: that is no fault, and no attempt.
    """

    message: Message
    outcome: str
    reason: str = ""
    outputs: tuple[Put, ...] = field(default=(), repr=False)
    kept: Mapping[Place, Row | None] = field(default_factory=dict, repr=False)
    state: Callable[[Connection], None] | None = field(default=None, repr=False)
    due: datetime | None = None
    counts: bool = True
    waits: bool = False
