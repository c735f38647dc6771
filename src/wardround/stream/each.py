"""Says what became of messages that were handled together, so that one whose data break is blamed alone."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

from wardround.adapters.queue.message import Done, Message

DELAYS: Final = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 600, 3600))
"""How long a message waits after each attempt that failed by its own data."""


def each_said(taken: Sequence[Message], found: Mapping[int, Done | Exception]) -> Iterator[Done]:
    """Yields what became of each message (by `seq`); raises the first exception at the end.

    Nothing is said of a message that follows one with an exception in its key: it comes after that one.
    """
    failed: Exception | None = None
    keys: set[str] = set()
    for message in taken:
        became = found[message.seq]
        if isinstance(became, Exception):
            failed = failed or became
            keys.add(message.key)
        elif message.key not in keys:
            yield became
    if failed is not None:
        raise failed
