"""Erases messages: bodies, and what people wrote about them; an account without content stays, so that counts hold."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import case, delete, func, null, or_, select, update

from wardround.adapters.database.tables import STREAM_BODY, STREAM_CORRECTION, STREAM_MESSAGE
from wardround.adapters.queue.message import DEAD
from wardround.adapters.queue.portions import in_portions
from wardround.adapters.queue.queue import Queue

ERASED: Final = "erased"
"""The reason of each message that was erased; also the outcome of one that was open, or a dead letter."""
_AT_ONCE: Final = 200
_MESSAGE: Final = STREAM_MESSAGE.c


def stored(queue: Queue) -> Iterator[Sequence[Any]]:
    """Yields seq, stage, source and body of all messages with a body. Raises StorageError or DatabaseError."""
    names = ("seq", "stage", "source")
    asked = select(*(_MESSAGE[name] for name in names), STREAM_BODY.c.body)
    asked = asked.join(STREAM_BODY, STREAM_BODY.c.seq == _MESSAGE.seq).where(_MESSAGE.run == queue.run)
    yield from in_portions(queue, asked, _AT_ONCE)


def erase_messages(queue: Queue, seqs: Sequence[int], now: datetime) -> int:
    """Erases messages; returns how many had a body. Raises StorageError or DatabaseError.

    Who has taken one can no longer finish it, so that nothing follows from it.
    """
    if not seqs:
        return 0
    ends = or_(_MESSAGE.outcome.is_(None), _MESSAGE.outcome == DEAD)
    erasing = (
        update(STREAM_MESSAGE)
        .where(_MESSAGE.seq.in_(seqs))
        .values(
            outcome=case((ends, ERASED), else_=_MESSAGE.outcome),
            ended=func.coalesce(_MESSAGE.ended, now),
            reason=ERASED,
            taken_until=null(),
        )
    )
    with queue.database.writing() as connection:
        connection.execute(erasing)
        connection.execute(update(STREAM_CORRECTION).where(STREAM_CORRECTION.c.seq.in_(seqs)).values(why=ERASED))
        return connection.execute(delete(STREAM_BODY).where(STREAM_BODY.c.seq.in_(seqs))).rowcount
