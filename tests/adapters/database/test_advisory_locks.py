"""Tests that what is written from machines that share a PostgreSQL database waits, or stops when its lock is lost."""

import logging
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from tests.adapters.database.throwaway_postgresql import Server

from wardround.adapters.database.advisory_locks import AdvisoryLocks
from wardround.adapters.locks import FileLocks, Locks, alone, locks_for
from wardround.errors import DatabaseError

SERVER, WHAT = "http://127.0.0.1:9/fhir", ["sepsis at five"]
LONG = 60  # seconds; what is waited for comes at once


@pytest.fixture
def name(postgresql: Server) -> str:
    return postgresql.new_database()


@pytest.fixture
def locks(postgresql: Server, name: str) -> Locks:
    return locks_for("memory://runs", postgresql.url(name))


def sessions(postgresql: Server, name: str) -> int:
    """Returns how many connections the database has."""
    with postgresql.connected() as connection:
        found = connection.execute("select count(*) from pg_stat_activity where datname = %s", [name])
        return int(found.fetchone()[0])


def end_sessions(postgresql: Server, name: str) -> None:
    with postgresql.connected() as connection:
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])


def crash(postgresql: Server, _name: str) -> None:
    postgresql.crash_and_start()


def test_the_place_of_what_is_locked_chooses_the_locks(tmp_path) -> None:
    assert locks_for(str(tmp_path / "runs"), "postgresql://h/d") == FileLocks(tmp_path / "runs" / ".locks")
    assert locks_for("memory://runs", f"sqlite:///{tmp_path}/w.db") == FileLocks(tmp_path / "w.db.locks")
    assert isinstance(locks_for("memory://runs", "postgresql://h/d"), AdvisoryLocks)


@pytest.mark.long
def test_another_run_waits_until_all_tasks_of_the_first_have_left(locks, postgresql, name, caplog) -> None:
    caplog.set_level(logging.INFO)
    done: list[str] = []

    def other() -> None:
        with locks.turn(SERVER, WHAT, "second"):
            done.append("second")

    with ThreadPoolExecutor(1) as pool:
        with locks.turn(SERVER, WHAT, "first"):
            with locks.turn(SERVER, WHAT, "first"):
                waiting = pool.submit(other)
                while "waiting" not in caplog.text:
                    time.sleep(0.01)
                # One more task of the first run is let in, although another run waits.
                with locks.turn(SERVER, WHAT, "first"):
                    pass
            done.append("first")
        waiting.result(LONG)
    assert done == ["first", "second"]


@pytest.mark.long
def test_tasks_of_one_run_and_runs_about_something_else_go_together(locks) -> None:
    together = Barrier(4)

    def go(server: str, what: list[str], run: str) -> None:
        with locks.turn(server, what, run):
            together.wait(LONG)

    with ThreadPoolExecutor(4) as pool:
        same = [pool.submit(go, SERVER, WHAT, "run") for _ in range(2)]
        others = [pool.submit(go, SERVER, ["at six"], "other"), pool.submit(go, "http://elsewhere/fhir", WHAT, "other")]
        for each in (*same, *others):
            each.result(LONG)


@pytest.mark.long
def test_what_one_task_does_alone_no_other_does_at_the_same_time(locks) -> None:
    inside, most = [], []

    def go(number: int) -> None:
        with alone(locks, SERVER, WHAT):
            inside.append(number)
            most.append(len(inside))
            inside.remove(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(go, range(12)))
    assert most == [1] * 12


@pytest.mark.long
def test_a_turn_ends_with_an_error_and_with_its_process(locks, postgresql, name) -> None:
    with pytest.raises(ZeroDivisionError), locks.turn(SERVER, WHAT, "broken"):
        raise ZeroDivisionError
    script = f"""
import os, signal
from wardround.adapters.locks import locks_for
with locks_for("memory://runs", {postgresql.url(name)!r}).turn({SERVER!r}, {WHAT!r}, "killed"):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    with locks.turn(SERVER, WHAT, "next") as require:
        require()


@pytest.mark.long
@pytest.mark.parametrize("lost_by", [end_sessions, crash])
def test_whoever_lost_the_lock_may_write_nothing_more_though_the_database_is_back(
    locks, postgresql, name, lost_by
) -> None:
    written: list[str] = []

    def write(lost: bool) -> None:
        with locks.turn(SERVER, WHAT, "first") as require:
            require()
            written.append("before")
            if lost:
                lost_by(postgresql, name)
            with locks.turn(SERVER, WHAT, "second") if lost else locks.turn(SERVER, ["other"], "first"):
                require()
                written.append("after")

    with pytest.raises(DatabaseError, match="the connection that held a lock was lost"):
        write(lost=True)
    assert written == ["before"]
    write(lost=False)
    assert written == ["before", "before", "after"]


@pytest.mark.long
def test_a_lock_that_was_lost_after_the_last_write_is_an_error_too(locks, postgresql, name) -> None:
    with pytest.raises(DatabaseError, match="was lost"), locks.turn(SERVER, WHAT, "first"):
        end_sessions(postgresql, name)


@pytest.mark.long
def test_limits_for_ordinary_sessions_do_not_end_one_that_holds_a_lock(locks, postgresql, name) -> None:
    with postgresql.connected(name) as connection:
        limits = ("idle_session_timeout", "statement_timeout", "lock_timeout")
        for limit in limits:
            connection.execute(f"alter database {name} set {limit} = 100")
        with locks.turn(SERVER, WHAT, "first") as require:
            # As long as would end a session with these limits three times over.
            connection.execute("set statement_timeout = 0; select pg_sleep(0.3)")
            require()


@pytest.mark.long
def test_no_connection_is_left_open(locks, postgresql, name) -> None:
    for run in ("first", "second"):
        with locks.turn(SERVER, WHAT, run):
            assert sessions(postgresql, name) == 1
    while sessions(postgresql, name):
        time.sleep(0.01)


def test_a_database_that_does_not_answer_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    locks, entered = locks_for("memory://runs", "postgresql://ward@127.0.0.1:9/wardround"), []
    with pytest.raises(DatabaseError, match="nothing is listening there"), locks.turn(SERVER, WHAT, "first"):
        entered.append(1)
    assert entered == []
