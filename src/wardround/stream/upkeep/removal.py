"""Removes what ended long ago: the bodies of messages, and the states of visits that are over."""

from datetime import datetime
from typing import Final

from wardround.adapters.database.visits import forget
from wardround.adapters.queue import retention
from wardround.adapters.queue.queue import Queue
from wardround.spec.stream import Keep

VISITS: Final = "visits"


def prune(queue: Queue, keep: Keep, now: datetime) -> dict[str, int]:
    """Removes bodies and visits that are older than `keep` says; returns how many, by stage and of VISITS.

    Raises StorageError or DatabaseError.
    """
    removed = retention.prune(queue, keep.by_stage, now)
    with queue.database.writing() as connection:
        return {**removed, VISITS: forget(connection, now - keep.visits)}
