"""Removes the bodies of messages that ended long ago. Their account stays, so that they are known if sent again."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, func, select

from wardround.adapters.database.tables import STREAM_BODY, STREAM_MESSAGE
from wardround.adapters.queue.queue import Queue

_AT_ONCE: Final = 500  # bodies removed in a transaction, between which others write
_CLOCKS_DIFFER: Final = timedelta(days=1)  # how far a clock may have been set back meanwhile
_MESSAGE: Final = STREAM_MESSAGE.c


def prune(queue: Queue, kept: Mapping[str, timedelta], now: datetime) -> dict[str, int]:
    """Removes bodies of each stage that ended longer ago than `kept` says; returns how many, by stage.

    Dead letters count as ended; what is open is left. Raises StorageError or DatabaseError.
    """
    return {stage: _prune_stage(queue, stage, now - time) for stage, time in kept.items()}


def _prune_stage(queue: Queue, stage: str, before: datetime) -> int:
    removed = 0
    while some := _prune_some(queue, stage, before):
        removed += some
    return removed


def _prune_some(queue: Queue, stage: str, before: datetime) -> int:
    with queue.database.writing() as connection:
        since = _first_body(connection)
        if since is None:
            return 0
        old = (
            select(_MESSAGE.seq)
            .join(STREAM_BODY, STREAM_BODY.c.seq == _MESSAGE.seq)
            .where(_MESSAGE.run == queue.run, _MESSAGE.stage == stage)
            # What ended before has no body any more.
            .where(_MESSAGE.ended >= since - _CLOCKS_DIFFER, _MESSAGE.ended < before)
            .limit(_AT_ONCE)
        )
        seqs = connection.execute(old).scalars().all()
        connection.execute(delete(STREAM_BODY).where(STREAM_BODY.c.seq.in_(seqs)))
        return len(seqs)


def _first_body(connection: Connection) -> datetime | None:
    first = select(func.min(STREAM_BODY.c.seq)).scalar_subquery()
    return connection.execute(select(_MESSAGE.received).where(_MESSAGE.seq == first)).scalar()
