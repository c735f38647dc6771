"""Waits for what must come, without a limit that a busy machine would meet."""

import time
from collections.abc import Callable

import pytest

WAIT = 120.0
"""Seconds, for what takes two on an idle machine."""


def until(condition: Callable[[], object]) -> None:
    """Waits until the condition holds; fails the test if it never does."""
    ends = time.monotonic() + WAIT
    while not condition():
        if time.monotonic() > ends:
            pytest.fail("it did not come to that")
        time.sleep(0.01)
