"""Messages a second through the stored queues: put one at a time and by sixteen at once, and through a stage.

`python -m benchmarks.stream_queue` prints the table for SQLite. An address of PostgreSQL (WARDROUND_BENCH_POSTGRESQL,
with fsync on) adds its rows; its database gets the tables, and rows of a run of this name.
"""

import os
import secrets
import tempfile
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from time import perf_counter
from typing import Final

from sqlalchemy import insert

from benchmarks.measure import table
from wardround.adapters.database.database import opened
from wardround.adapters.database.tables import STREAM_CORRECTION
from wardround.adapters.queue.intake import intake_into
from wardround.adapters.queue.message import Done, Message, Put
from wardround.adapters.queue.queue import Queue
from wardround.settings import database_in
from wardround.stream.metrics import Metrics
from wardround.stream.runner import Runner
from wardround.stream.stage_metrics import StageMetrics

WAITING: Final = 7_500  # six hours of a hospital with 900,000 messages a month
_ALONE, _AT_ONCE, _SENDERS = 300, 2_000, 16
_KEYED, _KEYS = 1_500, 400
_LARGE: Final = b"x" * 8_500  # an ADT message
_SMALL: Final = b"x" * 300


class Stage:
    """A stage that puts a message and writes a row for each that it takes."""

    most = 32
    delays: Sequence[timedelta] = ()

    def __init__(self, name: str, after: str, together: bool) -> None:
        self.name = name
        self.together = together
        self._after = after

    def handle(self, taken: Sequence[Message], now: datetime) -> Iterable[Done]:
        for one in taken:
            row = {"seq": one.seq, "at": now, "action": "bench", "who": "", "why": ""}
            output = Put(self._after, one.key, _SMALL, str(one.seq), now, one.received, "bench")
            yield Done(one, "done", outputs=(output,), state=lambda connection, row=row: _write(connection, row))


def _write(connection, row) -> None:
    connection.execute(insert(STREAM_CORRECTION), row)


def main() -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [("SQLite", *_measured(database_in(Path(folder))))]
    if server := os.environ.get("WARDROUND_BENCH_POSTGRESQL"):
        rows.append(("PostgreSQL", *_measured(server)))
    columns = (
        "database",
        "put, one in flight",
        f"put, {_SENDERS} in flight",
        f"stage in total order, {WAITING:,} waiting",
        f"stage in order of {_KEYS} keys",
        "claim of 32, 7,500 waiting",
    )
    table("Stored queues, each message on disk before it is told", columns, rows)


def _measured(url: str) -> tuple[str, ...]:
    run = f"bench {secrets.token_hex(4)}"
    with opened(url) as database:
        alone = _rate(_ALONE, lambda: _put_alone(Queue(database, f"{run} alone")))
        together = _rate(_AT_ONCE, lambda: _put_together(Queue(database, f"{run} together")))
        flag, query = Stage("flag", "query", together=True), Stage("query", "predict", together=False)
        total = _through_stage(Queue(database, f"{run} total"), flag, WAITING, 1)
        keyed = _through_stage(Queue(database, f"{run} keyed"), query, _KEYED, _KEYS)
        claim = _claim(Queue(database, f"{run} claim"))
    return (alone, together, total, keyed, claim)


def _rate(messages: int, work: Callable[[], object]) -> str:
    began = perf_counter()
    work()
    return f"{messages / (perf_counter() - began):,.0f}/s"


def _put_alone(queue: Queue) -> None:
    for number in range(_ALONE):
        queue.put([_message("flag", number, 1, _LARGE)])


def _put_together(queue: Queue) -> None:
    with intake_into(queue) as intake:

        def send(sender: int) -> None:
            for number in range(sender, _AT_ONCE, _SENDERS):
                intake.offer(_message("flag", number, 1, _LARGE)).result()

        threads = [Thread(target=send, args=[sender]) for sender in range(_SENDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _through_stage(queue: Queue, stage: Stage, messages: int, keys: int) -> str:
    _fill(queue, stage.name, messages, keys)
    runner = Runner(stage, queue, StageMetrics(stage.name, Metrics()))

    def work() -> None:
        while runner.step():
            pass

    return _rate(messages, work)


def _claim(queue: Queue) -> str:
    _fill(queue, "query", WAITING, WAITING)
    began, times = perf_counter(), 50
    for _ in range(times):
        queue.take("query", 32, timedelta(minutes=1), datetime.now(UTC))
    return f"{1_000 * (perf_counter() - began) / times:.1f} ms"


def _fill(queue: Queue, stage: str, messages: int, keys: int) -> None:
    for begin in range(0, messages, 500):
        queue.put([_message(stage, number, keys, _LARGE) for number in range(begin, min(begin + 500, messages))])


def _message(stage: str, number: int, keys: int, body: bytes) -> Put:
    now = datetime.now(UTC)
    return Put(stage, f"key {number % keys}", body, f"{number}", now, now, "bench")


if __name__ == "__main__":
    main()
