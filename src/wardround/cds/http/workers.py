"""Runs workers, each a process that listens on the same socket, replaces those that die, and stops all together."""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Final

from wardround.errors import WardroundError

STOP_SECONDS: Final = 10.0
"""How long the workers may take to finish what they have in hand."""
_LONGEST_PAUSE: Final = 30.0

_LOG = logging.getLogger(__name__)

Work = Callable[[Connection], None]
"""What a worker does, in a process of its own: sends "ready" when it answers, and returns after SIGTERM."""


class CannotStart(WardroundError):
    """A worker ended before any was ready; its own message is on stderr. `code` is its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__("cds: a worker ended before it was ready; its message is above")
        self.exit_code = code


class Workers:
    """The workers of one service. They are new processes, not forks: threads of the libraries do not survive a fork."""

    def __init__(self, work: Work, count: int, ready: Callable[[], None], stopping: Callable[[], None]) -> None:
        """Prepares them. `ready` is called when the first answers, `stopping` before they are asked to stop."""
        self._work = work
        self._ready = ready
        self._stopping = stopping
        self._spawn = multiprocessing.get_context("spawn")
        self._running: list[SpawnProcess] = []
        self._starting: dict[Connection, SpawnProcess] = {}
        self._was_ready = False
        self._due = [0.0] * count  # when to start another one
        self._pause = 0.0

    def run(self) -> None:
        """Runs the workers until SIGTERM or SIGINT, and then until they have finished what they have in hand.

        Raises CannotStart if none ever was ready.
        """
        with _woken_by_signals() as woken:
            try:
                while woken not in (changed := self._wait(woken)):
                    self._heed(changed)
            finally:
                self._stop()

    def _wait(self, woken: int) -> Sequence[object]:
        """Starts those that are due, and returns what has happened since."""
        now = time.monotonic()
        for _ in [due for due in self._due if due <= now]:
            self._start()
        self._due = [due for due in self._due if due > now]
        timeout = min(self._due) - now if self._due else None
        return wait([woken, *(process.sentinel for process in self._running), *self._starting], timeout)

    def _start(self) -> None:
        mine, theirs = self._spawn.Pipe(duplex=False)
        process = self._spawn.Process(target=self._work, args=(theirs,))
        process.start()
        theirs.close()
        self._running.append(process)
        self._starting[mine] = process

    def _heed(self, changed: Sequence[object]) -> None:
        for told in [one for one in self._starting if one in changed]:
            self._hear(told)
        for process in [one for one in self._running if one.sentinel in changed]:
            self._replace(process)

    def _hear(self, told: Connection) -> None:
        try:
            told.recv()
        except EOFError:  # it has ended, which its sentinel says as well
            return
        finally:
            del self._starting[told]
            told.close()
        self._pause = 0.0
        if not self._was_ready:
            self._was_ready = True
            self._ready()

    def _replace(self, process: SpawnProcess) -> None:
        process.join()
        self._running.remove(process)
        if not self._was_ready:
            raise CannotStart(process.exitcode or 1)
        _LOG.error("cds: worker %d ended with code %s; starting another", process.pid, process.exitcode)
        # One that dies at once is not started again and again without a pause.
        self._due.append(time.monotonic() + self._pause)
        self._pause = min(_LONGEST_PAUSE, 2 * self._pause + 1)

    def _stop(self) -> None:
        self._stopping()
        for process in self._running:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._running:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                _LOG.error("cds: worker %d did not stop within %.0f s; it is killed", process.pid, STOP_SECONDS)
                process.kill()
                process.join()


def end_with_parent() -> None:
    """Makes this worker end as by SIGTERM when its parent has gone, however it went."""
    parent = multiprocessing.parent_process()

    def watch(sentinel: int) -> None:
        wait([sentinel])
        os.kill(os.getpid(), signal.SIGTERM)

    if parent is not None:
        threading.Thread(target=watch, args=(parent.sentinel,), daemon=True).start()


@contextmanager
def _woken_by_signals() -> Iterator[int]:
    """Gives the end of a pipe that becomes readable with SIGTERM or SIGINT, which do nothing else meanwhile.

    The interpreter's own handler writes into it: one in Python would not run while the main thread waits, if the signal
    came just before.
    """
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    handlers = {number: signal.signal(number, _ignored) for number in (signal.SIGTERM, signal.SIGINT)}
    previous = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    try:
        yield woken
    finally:
        signal.set_wakeup_fd(previous)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(woken)
        os.close(wake)


def _ignored(_signal: int, _frame: FrameType | None) -> None:
    pass
