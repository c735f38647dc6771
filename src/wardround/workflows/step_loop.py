"""Runs the steps of a run in one process: all of them, or those that are left of a run that was stopped.

Starting and resuming are one thing. A run's folder says which steps are done, because each step writes its last file
when the others are whole; a new run's folder is empty, so all its steps are left. Steps that only write results are
repeated: they find what is there already and leave it alone.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import takewhile
from threading import Event, Lock
from typing import TypeVar

from wardround.core.progress import Progress

Part = TypeVar("Part")
T = TypeVar("T")


def _never(_part: object) -> bool:
    return False


class Steps:
    """Runs steps and reports their progress. A part that is done already is not run, and counts as done.

    Args:
        end: called on an interruption, so that no thread goes on waiting for a server that is down.
    """

    def __init__(self, progress: Progress, end: Callable[[], None] = lambda: None) -> None:
        self._progress = progress
        self._end = end

    def run(self, step: str, work: Callable[[], T]) -> T:
        """Runs a step of one part and returns its result."""
        self._progress(step, 0, 1)
        result = work()
        self._progress(step, 1, 1)
        return result

    def unless(self, done: bool, step: str, work: Callable[[], object]) -> None:
        """Runs a step of one part unless it is done; nothing is reported of one that is."""
        if not done:
            self.run(step, work)

    def each(
        self, step: str, parts: Sequence[Part], work: Callable[[Part], None], done: Callable[[Part], bool] = _never
    ) -> None:
        """Works on the parts of a step one after another."""
        for _ in self.as_requested(step, parts, work, done):
            pass

    def as_requested(
        self, step: str, parts: Sequence[Part], work: Callable[[Part], None], done: Callable[[Part], bool] = _never
    ) -> Iterator[Part]:
        """Yields the parts of a step one after another, working on each when it is requested."""
        self._progress(step, 0, len(parts))
        for number, part in enumerate(parts, start=1):
            if not done(part):
                work(part)
            self._progress(step, number, len(parts))
            yield part

    def at_once(
        self,
        step: str,
        parts: Iterable[Part],
        total: int,
        work: Callable[[Part], None],
        threads: int,
        done: Callable[[Part], bool] = _never,
    ) -> None:
        """Works on the parts of a step as they come, `threads` at a time.

        The first error ends the step once the parts under way have ended.
        """
        ended, counting, failed = 0, Lock(), Event()
        self._progress(step, 0, total)

        def counted(part: Part) -> None:
            nonlocal ended
            if failed.is_set():
                return
            try:
                if not done(part):
                    work(part)
            except BaseException:
                # At once, not when its turn among the results comes: parts may still be coming.
                failed.set()
                raise
            with counting:
                ended += 1
                self._progress(step, ended, total)

        pool = ThreadPoolExecutor(threads)
        under_way: deque[Future[None]] = deque()
        try:
            for part in takewhile(lambda _: not failed.is_set(), parts):
                under_way.append(pool.submit(counted, part))
            while under_way:
                under_way.popleft().result()
        except KeyboardInterrupt:
            self._end()
            raise
        finally:
            failed.set()
            pool.shutdown(cancel_futures=True)
            # Their errors hold this frame, so connections would stay open until garbage collection.
            under_way.clear()
