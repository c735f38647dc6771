"""How long a run puts up with a server: a budget of repeated requests, and a time to wait for one that is down."""

import time
from collections.abc import Callable
from datetime import timedelta
from threading import Event, Lock
from typing import Final

RETRIES: Final = 500
LOOK_AGAIN: Final = 15.0  # seconds between two checks of a server that is down


class Patience:
    """Shared by all clients of a run, from any thread; what is used up stays used up.

    Args:
        retries: how many requests may be repeated, over all requests.
        wait: how long to wait for a server that is down, over all outages.
        pause, clock: how to sleep, by default until `end`, and a clock of seconds that only increase.
    """

    def __init__(
        self,
        retries: int = RETRIES,
        wait: timedelta = timedelta(),
        pause: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ended = Event()
        self.pause = pause or self._ended.wait
        self._clock = clock
        self._retries = retries
        self._left = wait.total_seconds()
        self._waiting = 0
        self._began = 0.0
        self._lock = Lock()
        self.spent = False
        """Whether a retry was refused: from then on every error is the run's, and not that of one patient's data."""

    def retry(self) -> bool:
        """Takes one retry from the budget; returns False if there is none."""
        with self._lock:
            self.spent = self._retries == 0 or self._ended.is_set()
            self._retries = max(0, self._retries - 1)
            return not self.spent

    def end(self) -> None:
        """Wakes every thread that pauses or waits, and grants nothing more: the run must stop now."""
        self._ended.set()
        self.spent = True

    @property
    def can_wait(self) -> bool:
        """Returns whether any waiting time is left."""
        return self._left > 0

    def wait_until(self, up: Callable[[], bool]) -> bool:
        """Checks until the server is up or no time is left. Threads that wait together use up the time once."""
        with self._lock:
            if self._waiting == 0:
                self._began = self._clock()
            self._waiting += 1
        try:
            while (left := self._left - (self._clock() - self._began)) > 0:
                self.pause(min(LOOK_AGAIN, left))
                if self._ended.is_set():
                    break
                if up():
                    return True
            return False
        finally:
            with self._lock:
                self._waiting -= 1
                if self._waiting == 0:
                    self._left = max(0.0, self._left - (self._clock() - self._began))
