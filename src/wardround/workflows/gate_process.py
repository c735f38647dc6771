"""The quality gate in a process of its own, so that its imports cost the screening no time."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from types import TracebackType
from typing import Self

from wardround.settings import Settings


class GateProcess:
    """`check_quality` in a child; a context manager, called as the function is, once.

    Importing Great Expectations takes seconds of one core. The child starts with it at once, on another core; a thread
    could not, because imports hold the interpreter. This module imports nothing heavy, so that the child can be the
    first thing that a command starts.
    """

    def __enter__(self) -> Self:
        # Not forked: this process may have threads by now.
        self._child = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        self._child.submit(_prepare)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.shutdown(cancel_futures=True)

    def __call__(self, run: str, settings: Settings) -> None:
        try:
            self._child.submit(_check, run, settings).result()
        finally:
            # The child takes a second to end, which need not be waited for.
            self._child.shutdown(wait=False)


def _prepare() -> None:
    from wardround.adapters import expectations

    expectations.prepare()


def _check(run: str, settings: Settings) -> None:
    from wardround.workflows.screening import check_quality

    check_quality(run, settings)
