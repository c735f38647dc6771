"""Puts the messages of files into the queue, as if they had arrived: what a downtime has left over, or a trial."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from wardround.adapters.queue.message import Put
from wardround.adapters.queue.queue import Queue
from wardround.errors import SourceDataError
from wardround.stream.files import FiledMessage
from wardround.stream.raw import raw

_TOGETHER: Final = 64  # messages in a commit


def imported(
    messages: Iterable[FiledMessage], source: str, queue: Queue, clock: Callable[[], datetime]
) -> Counter[str]:
    """Stores messages in order, each with the time at which it is read; returns how many became what.

    What was stored before, by an import or from a connection, is not stored again: an import that was broken off can be
    repeated. Raises StorageError or DatabaseError, and what `messages` raises; what was read before is then stored.
    """
    counts: Counter[str] = Counter(new=0, repeated=0)
    waiting: list[Put] = []

    def store() -> None:
        stored = queue.put(waiting)
        counts.update("new" if new else "repeated" for new in stored)
        waiting.clear()

    try:
        for one in messages:
            if one.refusal:
                counts[one.refusal] += 1
                continue
            waiting.append(raw(one.body, source, clock()))
            if len(waiting) == _TOGETHER:
                store()
    except SourceDataError:
        store()
        raise
    store()
    return counts
