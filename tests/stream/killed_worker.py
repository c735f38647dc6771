"""A process that takes messages in, or works as a stage, and kills itself after a number of SQL statements and commits.

python -m tests.stream.killed_worker intake|stage URL RUN LAST [FIRST COUNT]
"""

import os
import signal
import sys
from datetime import UTC, datetime, timedelta

from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from wardround.adapters.database.database import Database, opened
from wardround.adapters.queue.intake import intake_into
from wardround.adapters.queue.message import Done, Put
from wardround.adapters.queue.queue import Queue
from wardround.stream.metrics import Metrics
from wardround.stream.runner import Runner
from wardround.stream.stage_metrics import StageMetrics

KEYS = 5
LEASE = timedelta(seconds=10)


def message(number: int, now: datetime) -> Put:
    return Put("flag", f"key {number % KEYS}", f"body {number}".encode(), f"digest {number}", now, now, "main")


class Effects:
    """A stage that writes down each message, with nothing that would hide a second time."""

    name, most, together, delays = "flag", 4, True, ()

    def __init__(self, run: str) -> None:
        self._run = run

    def handle(self, taken, now):
        for one in taken:
            number = int(one.body.split()[1])

            def write(connection, number=number) -> None:
                effect = text("insert into effects (run, number) values (:run, :number)")
                connection.execute(effect, {"run": self._run, "number": number})

            yield Done(one, "done", outputs=(one_output(number, now),), state=write)


def one_output(number: int, now: datetime) -> Put:
    return Put("query", f"key {number % KEYS}", b"", f"after {number}", now, now, "main")


class Clock:
    """A clock on which a lease is over whenever it is looked at: nobody has to wait for the leases of the dead."""

    def __init__(self, since: datetime) -> None:
        self._now = since

    def __call__(self) -> datetime:
        self._now += LEASE
        return self._now


def take_in(queue: Queue, first: int, count: int) -> None:
    with intake_into(queue) as intake:
        for number in range(first, count):
            intake.offer(message(number, datetime.now(UTC))).result()
            print(number, flush=True)  # noqa: T201 - it is told to have been stored


def work(database: Database, run: str, started: int) -> None:
    clock = Clock(datetime.now(UTC) + started * timedelta(hours=1))
    runner = Runner(Effects(run), Queue(database, run), StageMetrics("flag", Metrics()), clock, LEASE)
    while runner.step():
        pass


def main(what: str, url: str, run: str, last: int, first: int, count: int) -> None:
    with opened(url) as database:
        done = 0

        def die(*_) -> None:
            nonlocal done
            done += 1
            if done == last:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(Engine, "before_cursor_execute", die)
        event.listen(Engine, "commit", die)
        if what == "intake":
            take_in(Queue(database, run), first, count)
        else:
            work(database, run, first)


if __name__ == "__main__":
    main(*sys.argv[1:4], *map(int, sys.argv[4:]))
