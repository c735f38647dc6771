"""Reads many messages a few at a time, so that memory does not grow with them."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Select

from wardround.adapters.database.tables import STREAM_MESSAGE
from wardround.adapters.queue.queue import Queue


def in_portions(queue: Queue, asked: Select[Any], most: int) -> Iterator[Sequence[Any]]:
    """Yields the messages that are asked for, in their order, `most` at a time. Raises StorageError or DatabaseError.

    Each portion is read by itself: what is put meanwhile comes too.
    """
    after = 0
    while True:
        some = asked.where(STREAM_MESSAGE.c.seq > after).order_by(STREAM_MESSAGE.c.seq).limit(most)
        with queue.database.reading() as connection:
            rows = connection.execute(some).all()
        if not rows:
            return
        yield rows
        after = rows[-1].seq
