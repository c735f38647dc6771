"""Tests that what is offered at once shares a commit, and is refused while it cannot be stored."""

import shutil
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError
from tests.adapters.queue.conftest import NOW, raw

from wardround.adapters.database.database import opened
from wardround.adapters.queue.intake import Intake, NotNow, intake_into
from wardround.adapters.queue.message import Put
from wardround.adapters.queue.pauses import Pause, pause, resume
from wardround.adapters.queue.queue import Queue
from wardround.errors import StorageError


def offered(queue: Queue, *puts: Put, reserve: int = 1, given_up: int | None = None) -> list["Future[bool]"]:
    """Returns what becomes of messages that are offered at the same time; one may be given up before its turn."""
    intake = Intake(queue, reserve)
    futures = [intake.offer(put) for put in puts]
    if given_up is not None:
        assert futures[given_up].cancel()
    intake.end()
    intake.work()
    return futures


@contextmanager
def commits(queue: Queue) -> Iterator[list[None]]:
    """Gives a list that grows with each commit of a transaction that writes."""
    seen: list[None] = []

    def count(_connection) -> None:
        seen.append(None)

    event.listen(queue.database._engine, "commit", count)
    try:
        yield seen
    finally:
        event.remove(queue.database._engine, "commit", count)


def test_what_is_offered_is_stored_before_it_is_told(queue):
    with intake_into(queue) as intake:
        assert intake.offer(raw(1)).result()
        assert queue.put([raw(1)]) == [False]
        assert not intake.offer(raw(1)).result()


def test_what_is_offered_at_the_same_time_shares_a_commit(queue):
    with commits(queue) as one:
        offered(queue, raw(0))
    with commits(queue) as many:
        futures = offered(queue, raw(1), raw(2), raw(1), raw(0))

    assert [future.result() for future in futures] == [True, True, False, False]
    assert len(many) == len(one)


def test_what_was_given_up_in_time_is_not_stored(queue):
    first, second = offered(queue, raw(1), raw(2), given_up=1)

    assert first.result()
    with pytest.raises(CancelledError):
        second.result()
    assert queue.put([raw(2)]) == [True]


def test_a_paused_source_is_refused_and_others_are_not(queue):
    paused = f"paused in {queue.run}"
    pause(queue.database, Pause("source", paused, NOW, "ward", "maintenance"))
    refused, taken = offered(queue, raw(1, source=paused), raw(2))

    assert isinstance(refused.exception(), NotNow)
    assert taken.result()

    assert resume(queue.database, "source", paused)
    assert not resume(queue.database, "source", paused)
    assert offered(queue, raw(1, source=paused))[0].result()


def test_one_that_cannot_be_stored_costs_the_others_nothing(queue):
    first, impossible, last = offered(queue, raw(0), raw(1)._replace(key=None), raw(2))

    assert first.result()
    assert isinstance(impossible.exception(), IntegrityError)
    assert last.result()


def test_intake_ends_before_the_disk_is_full(urls):
    with opened(urls("sqlite")) as database:
        queue = Queue(database)
        [refused] = offered(queue, raw(1), reserve=1 << 60)

        assert isinstance(refused.exception(), NotNow)
        assert queue.put([raw(1)]) == [True]


def test_intake_is_slower_the_less_is_free(urls):
    with opened(urls("sqlite")) as database:
        free = shutil.disk_usage(database.place.file.parent).free
        delays = []
        for part in (0.4, 0.6, 0.9):
            intake = Intake(Queue(database), int(part * free))
            assert intake.refusal() == ""
            delays.append(intake._delay())
    assert delays[0] == 0 < delays[1] < delays[2] < 0.25


def test_a_full_disk_is_told_and_the_message_is_taken_when_there_is_space_again(urls):
    with opened(urls("sqlite")) as database:
        queue = Queue(database)
        with database.reading() as connection:
            pages = connection.exec_driver_sql("pragma page_count").scalar()
        big = raw(1)._replace(body=bytes(1 << 20))
        with limited_to(database, pages + 1):
            [refused] = offered(queue, big)
            assert isinstance(refused.exception(), StorageError)
            assert "the disk is full" in str(refused.exception())
        assert offered(queue, big)[0].result()


@contextmanager
def limited_to(database, pages: int) -> Iterator[None]:
    """Lets the database's file have so many pages at most, in this process."""

    def limit(connection) -> None:
        connection.exec_driver_sql(f"pragma max_page_count = {pages}")

    event.listen(database._engine, "begin", limit)
    try:
        yield
    finally:
        event.remove(database._engine, "begin", limit)
        with database.reading() as connection:
            connection.exec_driver_sql(f"pragma max_page_count = {1 << 30}")


def test_a_disk_that_cannot_be_asked_costs_one_message_and_not_the_intake(urls, monkeypatch):
    asked = shutil.disk_usage
    broken = iter([True])

    def ask(folder):
        if next(broken, False):
            raise OSError("stale file handle")
        return asked(folder)

    with opened(urls("sqlite")) as database, intake_into(Queue(database), reserve=1) as intake:
        monkeypatch.setattr(shutil, "disk_usage", ask)
        assert isinstance(intake.offer(raw(1)).exception(timeout=30), OSError)
        assert intake.offer(raw(1)).result(timeout=30)
