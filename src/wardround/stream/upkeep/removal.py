"""Removes what ended long ago: bodies of messages, states of visits that are over, what people were told."""

from datetime import datetime
from typing import Final

from wardround.adapters.database.notifications import forget_told
from wardround.adapters.database.visits import forget
from wardround.adapters.queue import retention
from wardround.adapters.queue.queue import Queue
from wardround.spec.stream import Keep

VISITS: Final = "visits"
TOLD: Final = "told"


def prune(queue: Queue, keep: Keep, now: datetime) -> dict[str, int]:
    """Removes what is older than `keep` says; returns how many bodies, by stage, and how many of VISITS and TOLD.

    Raises StorageError or DatabaseError.
    """
    removed = retention.prune(queue, keep.by_stage, now)
    with queue.database.writing() as connection:
        told = forget_told(connection, now - keep.told)
        return {**removed, VISITS: forget(connection, now - keep.visits), TOLD: told}
