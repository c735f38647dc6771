"""Dead letters: messages that could not be handled, and what people do about them. Lists show nothing of a body."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, insert, null, select, update

from wardround.adapters.database.tables import STREAM_BODY, STREAM_CORRECTION, STREAM_MESSAGE
from wardround.adapters.queue.message import DEAD, Put
from wardround.adapters.queue.queue import CORRUPT, Queue

REPLACED: Final = "replaced"
"""The outcome of a dead letter of which a corrected one was put."""

_MESSAGE: Final = STREAM_MESSAGE.c
_SHOWN: Final = ("seq", "stage", "source", "branch", "received", "ended", "attempts", "reason")


@dataclass(frozen=True)
class DeadLetter:
    """The account of a dead letter; `has_body` unless retention has removed it."""

    seq: int
    stage: str
    source: str
    branch: str
    received: datetime
    ended: datetime
    attempts: int
    reason: str
    has_body: bool

    @property
    def can_be_retried(self) -> bool:
        return self.has_body and self.reason != CORRUPT


class Responsible(NamedTuple):
    """Who did something about a dead letter, and why."""

    who: str
    why: str


def dead_letters(queue: Queue, stage: str | None = None) -> list[DeadLetter]:
    """Returns the dead letters that nobody has dealt with, the oldest first. Raises StorageError or DatabaseError."""
    asked = select(*(_MESSAGE[name] for name in _SHOWN), STREAM_BODY.c.seq.is_not(None).label("has_body"))
    asked = asked.outerjoin_from(STREAM_MESSAGE, STREAM_BODY, STREAM_BODY.c.seq == _MESSAGE.seq).where(_dead(queue))
    if stage is not None:
        asked = asked.where(_MESSAGE.stage == stage)
    with queue.database.reading() as connection:
        return [DeadLetter(**row) for row in connection.execute(asked.order_by(_MESSAGE.seq)).mappings()]


def body_of(queue: Queue, seq: int) -> bytes | None:
    """Returns what a dead letter holds, patients' data; None if there is no such dead letter, or no body any more."""
    asked = select(STREAM_BODY.c.body).join(STREAM_MESSAGE, _MESSAGE.seq == STREAM_BODY.c.seq)
    with queue.database.reading() as connection:
        return connection.execute(asked.where(_dead(queue), _MESSAGE.seq == seq)).scalar()


def retry(queue: Queue, seqs: Sequence[int], by: Responsible, now: datetime) -> list[int]:
    """Lets dead letters be handled again, as if they had just been put; returns which it could.

    Those that are no dead letters, whose body is gone or was changed are left. Raises StorageError or DatabaseError.
    """
    with_body = select(STREAM_BODY.c.seq).where(STREAM_BODY.c.seq.in_(seqs))
    reopening = (
        update(STREAM_MESSAGE)
        .where(_dead(queue), _MESSAGE.seq.in_(with_body), _MESSAGE.reason != CORRUPT)
        .values(outcome=null(), ended=null(), began=null(), taken_until=null(), attempts=0, lost=0, waits=0)
        .returning(_MESSAGE.seq)
    )
    with queue.database.writing() as connection:
        opened = sorted(connection.execute(reopening).scalars())
        for seq in opened:
            _keep(connection, seq, "retry", by, now)
    return opened


def replace(queue: Queue, seq: int, body: bytes, by: Responsible, now: datetime) -> int | None:
    """Puts a corrected message in place of a dead letter; returns its number, or None if there is no such dead letter.

    A corrected raw message counts as received now; what follows from one keeps its times. Raises StorageError or
    DatabaseError.
    """
    with queue.database.writing() as connection:
        found = connection.execute(select(STREAM_MESSAGE).where(_dead(queue), _MESSAGE.seq == seq)).mappings().first()
        if found is None:
            return None
        kept = {name: found[name] for name in ("stage", "key", "source", "branch", "origin", "as_of")}
        received = now if found["origin"] is None else found["received"]
        dedup = f"{seq}, corrected: {sha256(body).hexdigest()}"
        put = Put(body=body, dedup=dedup, due=now, received=received, **kept)
        [successor] = queue.put_in(connection, [put], now)
        connection.execute(update(STREAM_MESSAGE).where(_MESSAGE.seq == seq).values(outcome=REPLACED))
        _keep(connection, seq, "replace", by, now, successor)
        return successor


def _dead(queue: Queue) -> ColumnElement[bool]:
    return and_(_MESSAGE.run == queue.run, _MESSAGE.outcome == DEAD)


def _keep(
    connection: Connection, seq: int, action: str, by: Responsible, now: datetime, successor: int | None = None
) -> None:
    row = {"seq": seq, "at": now, "action": action, "successor": successor, **by._asdict()}
    connection.execute(insert(STREAM_CORRECTION), row)
