"""Tests how long a run waits for a server, and when it stops waiting."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest

from wardround.fhir.patience import Patience

WAITS: list[Callable[[Patience, Callable[[], bool]], object]] = [
    lambda patience, up: patience.wait_until(up),
    lambda patience, _up: patience.pause(3600),
]


@pytest.mark.parametrize("waits", WAITS, ids=["for a server that is down", "before the next attempt"])
def test_waiting_ends_with_the_run(waits) -> None:
    patience, waiting = Patience(wait=timedelta(hours=1)), Event()

    def wait() -> object:
        waiting.set()
        return waits(patience, lambda: False)

    with ThreadPoolExecutor(1) as pool:
        waited = pool.submit(wait)
        assert waiting.wait(300)
        patience.end()
        waited.result(60)


def test_a_run_that_ends_grants_no_retry_and_no_wait() -> None:
    patience = Patience(wait=timedelta(hours=1))
    assert patience.retry()
    patience.end()
    assert (patience.retry(), patience.wait_until(lambda: True), patience.spent) == (False, False, True)
