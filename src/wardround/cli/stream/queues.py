"""Opens the queues of what is live, for a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wardround.settings import settings_from

if TYPE_CHECKING:
    from wardround.adapters.queue.queue import Queue


@contextmanager
def opened_queue() -> "Iterator[Queue]":
    """Gives the queues in the database that the environment names. Raises WardroundError if it cannot be used."""
    from wardround.adapters.database.database import opened
    from wardround.adapters.queue.queue import Queue

    with opened(settings_from().database) as database:
        yield Queue(database)
