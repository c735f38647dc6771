"""Runs one stage in this process, or the listener, with its page, until it is asked to stop."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from socket import socket
from threading import Event, Thread
from typing import Final

from wardround.adapters.database.database import opened
from wardround.adapters.heap import give_back_large_blocks
from wardround.adapters.queue.figures import dead_letters, waiting
from wardround.adapters.queue.intake import intake_into
from wardround.adapters.queue.queue import Queue
from wardround.settings import Settings
from wardround.stream.metrics import DEAD_LETTERS, OLDEST, OPEN, Metrics
from wardround.stream.page import Page, served
from wardround.stream.runner import Runner
from wardround.stream.stage_metrics import StageMetrics
from wardround.stream.stages import opened_listener, opened_stage

STOP_SECONDS: Final = 8.0
"""How long a stage may take to finish what it has in hand; then others take it."""


def serve_stage(name: str, settings: Settings, listening: socket, ready: Callable[[], None]) -> None:
    """Runs the stage until SIGTERM or SIGINT; calls `ready` when it works, and answers on the socket.

    Raises WardroundError if it cannot be prepared.
    """
    give_back_large_blocks()
    metrics = Metrics()
    mine = StageMetrics(name, metrics)
    with stopping() as stop, opened(settings.database) as database:
        queue = Queue(database)
        with opened_stage(name, settings, queue) as stage:
            runner = Runner(stage, queue, mine)
            page = Page(lambda: mine.trouble, lambda: text_of(metrics, queue, name))
            with served(page, listening):
                work(runner, stop, ready)


def serve_listener(settings: Settings, listening: socket, ready: Callable[[], None]) -> None:
    """Takes in messages until SIGTERM or SIGINT, in the same way.

    What it has received by then is stored and answered. Raises WardroundError if it cannot be prepared.
    """
    give_back_large_blocks()
    metrics = Metrics()
    with stopping() as stop, opened(settings.database) as database, intake_into(Queue(database)) as intake:

        def trouble() -> str:
            return intake.refusal() or cannot()

        with opened_listener(settings, intake, metrics) as cannot, served(Page(trouble, metrics.text), listening):
            ready()
            stop.wait()


def text_of(metrics: Metrics, queue: Queue, stage: str) -> str:
    """Returns the metrics of this process, with those of the stage's queue. Raises StorageError or DatabaseError."""
    now = datetime.now(UTC)
    open_now = waiting(queue, now).get(stage)
    metrics.set(OPEN, open_now.due if open_now else 0, stage=stage, state="due")
    metrics.set(OPEN, open_now.planned if open_now else 0, stage=stage, state="planned")
    oldest = open_now.oldest if open_now else None
    metrics.set(OLDEST, max(0.0, (now - oldest).total_seconds()) if oldest else 0.0, stage=stage)
    metrics.set(DEAD_LETTERS, dead_letters(queue).get(stage, 0), stage=stage)
    return metrics.text()


def work(runner: Runner, stop: Event, ready: Callable[[], None]) -> None:
    """Lets a runner work in a thread until `stop` is set; what it cannot finish in time is released."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            runner.run(stop)
        except BaseException as error:  # noqa: BLE001 - it ends the process, as it should
            failures.append(error)
        finally:
            stop.set()

    thread = Thread(target=run, name="stream-stage", daemon=True)
    thread.start()
    ready()
    stop.wait()
    thread.join(STOP_SECONDS)
    if thread.is_alive():
        runner.release()
    if failures:
        raise failures[0]


@contextmanager
def stopping() -> Iterator[Event]:
    """Gives what is set by SIGTERM and SIGINT while the block runs."""
    stop = Event()
    handlers = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
