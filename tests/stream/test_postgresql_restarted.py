"""Tests that nothing is lost and nothing happens twice when PostgreSQL crashes under load."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event, Thread

import pytest
from sqlalchemy import text
from tests.adapters.database.throwaway_postgresql import running
from tests.stream.killed_worker import Effects, message

from wardround.adapters.database.database import opened
from wardround.adapters.queue.intake import intake_into
from wardround.adapters.queue.queue import Queue
from wardround.errors import DatabaseError
from wardround.stream.metrics import Metrics
from wardround.stream.runner import Runner
from wardround.stream.stage_metrics import StageMetrics

pytestmark = pytest.mark.long

MESSAGES, CRASHES = 400, 3


@contextmanager
def working(runner: Runner) -> Iterator[None]:
    stop = Event()
    thread = Thread(target=runner.run, args=[stop])
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_crash_of_the_database_loses_nothing_and_does_nothing_twice():
    with running() as server, opened(server.url(server.new_database())) as database:
        with database.writing() as connection:
            columns = "id integer generated always as identity, run text, number integer"
            connection.execute(text(f"create table effects ({columns})"))
        queue = Queue(database)
        stage = Effects("")
        with working(Runner(stage, queue, StageMetrics(stage.name, Metrics()))), intake_into(queue) as intake:
            refused = 0
            for number in range(MESSAGES):
                if number % (MESSAGES // CRASHES) == 50:
                    server.crash_and_start()
                # An engine sends again what was not acknowledged.
                while True:
                    failure = intake.offer(message(number, datetime.now(UTC))).exception()
                    if failure is None:
                        break
                    assert isinstance(failure, DatabaseError)
                    refused += 1
            while len(effects(database)) < MESSAGES:
                pass

        assert refused
        assert effects(database) == list(range(MESSAGES))
        assert queue.put([message(number, datetime.now(UTC)) for number in range(MESSAGES)]) == [False] * MESSAGES


def effects(database) -> list[int]:
    with database.reading() as connection:
        return list(connection.execute(text("select number from effects order by number")).scalars())
