"""Whose turn it is: threads work at one call after the other, and while one waits for others, the next one begins.

Python runs one thread at a time anyway. Left to themselves, the threads of several calls would interrupt each other,
and find the processor's caches full of another call's data each time. That is all that turns are for: a call that does
not get one within a second, because another one never ends, goes on without it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

PATIENCE: Final = 1.0
"""Seconds that a call waits for its turn; hundreds have one in that time."""


class Turn:
    """The turn of one call, for the thread that works at it."""

    def __init__(self, lock: Lock) -> None:
        """Waits for the turn."""
        self._lock = lock
        self._has_it = lock.acquire(timeout=PATIENCE)

    def end(self) -> None:
        """Ends the turn."""
        if self._has_it:
            self._lock.release()

    @contextmanager
    def interrupted(self) -> Iterator[None]:
        """Gives the turn away while the block waits for somebody else, and then waits for the next one."""
        self.end()
        try:
            yield
        finally:
            self._has_it = self._lock.acquire(timeout=PATIENCE)


class Turns:
    """The turns of all calls of a process."""

    def __init__(self) -> None:
        self._lock = Lock()

    @contextmanager
    def taken(self) -> Iterator[Turn]:
        """Waits for a turn, which ends with the block."""
        turn = Turn(self._lock)
        try:
            yield turn
        finally:
            turn.end()
