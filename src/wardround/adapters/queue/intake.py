"""Takes in what arrives from outside: messages that arrive at the same time share one commit, and its fsync.

A sender may be told that its message is stored only when the future has its result. Intake is refused while its source
is paused, and before the disk is full: the sender keeps the message and sends it again.
"""

import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final

from wardround.adapters.queue.message import Put
from wardround.adapters.queue.pauses import pauses
from wardround.adapters.queue.queue import Queue
from wardround.errors import DatabaseError, StorageError

RESERVE: Final = 512 << 20
"""How many bytes must be free on the disk of the database."""
WITHIN: Final = 2.0
"""How many seconds a message waits for another transaction at most."""

_TOGETHER: Final = 64  # messages in a commit
_LOOKED_EVERY: Final = 1.0  # seconds
_SLOWEST: Final = 0.25  # seconds before a commit, just before the disk counts as full

_Offered = tuple[Put, "Future[bool]"]


class NotNow(Exception):
    """A message is not taken in now; sent again later, it will be. The text names no patient."""


@contextmanager
def intake_into(queue: Queue, reserve: int = RESERVE) -> Iterator["Intake"]:
    """Gives the intake of a process. At the end of the block it stores what it has been offered."""
    with queue.database.hurried(WITHIN) as hurried:
        intake = Intake(Queue(hurried, queue.run), reserve)
        thread = Thread(target=intake.work, name="stream-intake")
        thread.start()
        try:
            yield intake
        finally:
            intake.end()
            thread.join()


class Intake:
    """What is offered by any thread is stored by one, which calls `work`."""

    def __init__(self, queue: Queue, reserve: int) -> None:
        self._queue = queue
        self._reserve = reserve
        self._offered: SimpleQueue[_Offered | None] = SimpleQueue()
        self._paused: frozenset[str] = frozenset()
        self._free = reserve * 2
        self._looked = float("-inf")

    def offer(self, put: Put) -> "Future[bool]":
        """Returns what has a result when the message is on disk: whether it is new, or was stored before.

        It has an exception if the message was not stored: NotNow, StorageError or DatabaseError. One that is cancelled
        in time is not stored.
        """
        future: Future[bool] = Future()
        self._offered.put((put, future))
        return future

    def refusal(self) -> str:
        """Returns why nothing is taken in now, from any source; "" if it is. Raises StorageError or DatabaseError."""
        self._look()
        if self._free < self._reserve:
            return f"less than {self._reserve >> 20} MB are free on the disk of the database"
        return ""

    def work(self) -> None:
        """Stores what is offered, until `end`."""
        while (first := self._offered.get()) is not None:
            offered = [first, *self._waiting()]
            self._store([one for one in offered if one is not None and one[1].set_running_or_notify_cancel()])
            if None in offered:
                return

    def end(self) -> None:
        """Lets `work` return when it has stored what was offered before."""
        self._offered.put(None)

    def _waiting(self) -> Iterator[_Offered | None]:
        for _ in range(_TOGETHER - 1):
            try:
                yield (one := self._offered.get_nowait())
            except Empty:
                return
            if one is None:
                return

    def _store(self, offered: Sequence[_Offered]) -> None:
        try:
            refusal = self.refusal()
        except Exception as error:  # noqa: BLE001 - such as a disk that cannot be asked: the next ones may be stored
            _refuse(offered, error)
            return
        wanted = []
        for one in offered:
            why = refusal or ("the source is paused" if one[0].source in self._paused else "")
            if why:
                _refuse([one], NotNow(why))
            else:
                wanted.append(one)
        if wanted:
            time.sleep(self._delay())
            self._commit(wanted)

    def _commit(self, offered: Sequence[_Offered]) -> None:
        try:
            stored = self._queue.put([put for put, _ in offered])
        except (StorageError, DatabaseError) as error:
            _refuse(offered, error)
        except Exception as error:  # noqa: BLE001 - one of them; the others are not to blame
            if len(offered) == 1:
                _refuse(offered, error)
                return
            for one in offered:
                self._commit([one])
        else:
            for (_, future), new in zip(offered, stored, strict=True):
                future.set_result(new)

    def _delay(self) -> float:
        """Returns how long to wait before a commit: the less there is above the reserve, the longer."""
        above = self._free / self._reserve - 1 if self._reserve else 1.0
        return _SLOWEST * (1 - above) if above < 1 else 0.0

    def _look(self) -> None:
        """Looks now and then what is paused and how much is free; of a server's disk we know only when it is full."""
        if time.monotonic() < self._looked + _LOOKED_EVERY:
            return
        database = self._queue.database
        self._paused = frozenset(one.name for one in pauses(database) if one.kind == "source")
        if database.place.file:
            self._free = shutil.disk_usage(database.place.file.parent).free
        self._looked = time.monotonic()


def _refuse(offered: Sequence[_Offered], error: Exception) -> None:
    for _, future in offered:
        future.set_exception(error)
