"""Tests how workers are started, replaced and stopped, with light ones in place of the door."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial

import psutil
import pytest
from tests.cds.http import worker_kinds
from tests.waiting import until

from wardround.cds.http import workers
from wardround.cds.http.workers import CannotStart, Workers
from wardround.settings import PROJECT


def is_gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE  # left by a parent that was killed
    except psutil.NoSuchProcess:
        return True


@contextmanager
def doing(*steps):
    """Takes each step in turn, in a thread, and then sends SIGTERM to this process, whose main thread runs workers.

    Meanwhile a signal that comes when the workers have ended by themselves does nothing: it would end all tests.
    """

    def act():
        try:
            for step in steps:
                step()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, lambda *_: None)
    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        signal.signal(signal.SIGTERM, before)


@pytest.fixture
def pids(tmp_path):
    """pids() returns the process ids of the workers that have run so far."""
    return lambda: {int(path.name) for path in tmp_path.iterdir()}


def test_one_call_says_that_it_is_ready_and_sigterm_ends_all(tmp_path, pids):
    said = []
    work = partial(worker_kinds.steady, tmp_path)
    with doing(lambda: until(lambda: len(pids()) == 2 and said)):
        before = signal.getsignal(signal.SIGTERM)
        Workers(work, 2, lambda: said.append("ready"), lambda: said.append("stopping")).run()
        assert signal.getsignal(signal.SIGTERM) is before
    assert said == ["ready", "stopping"]
    assert all(is_gone(pid) for pid in pids())


def test_a_worker_that_is_killed_is_replaced(tmp_path, pids, caplog):
    said = []

    def kill_one():
        until(lambda: len(pids()) == 2 and said)
        os.kill(min(pids()), signal.SIGKILL)

    with doing(kill_one, lambda: until(lambda: len(pids()) == 3)):
        Workers(partial(worker_kinds.steady, tmp_path), 2, lambda: said.append("ready"), lambda: None).run()
    assert "ended with code -9; starting another" in caplog.text


def test_one_that_dies_again_and_again_is_started_more_and_more_seldom(tmp_path, pids, caplog, monkeypatch):
    monkeypatch.setattr(workers, "_LONGEST_PAUSE", 0.1)
    said = []

    def kill_one():
        until(lambda: len(pids()) == 1 and said)
        os.kill(min(pids()), signal.SIGKILL)

    with doing(kill_one, lambda: until(lambda: len(pids()) >= 4)):
        Workers(partial(worker_kinds.first_only, tmp_path), 1, lambda: said.append("ready"), lambda: None).run()
    assert caplog.text.count("ended with code 4; starting another") >= 2


def test_if_none_becomes_ready_it_ends_with_their_exit_code(tmp_path):
    with pytest.raises(CannotStart) as ended:
        Workers(partial(worker_kinds.never, tmp_path), 2, lambda: None, lambda: None).run()
    assert ended.value.exit_code == 17


def test_one_that_does_not_stop_is_killed(tmp_path, pids, caplog, monkeypatch):
    monkeypatch.setattr(workers, "STOP_SECONDS", 0.2)
    with doing(lambda: until(pids)):
        Workers(partial(worker_kinds.stubborn, tmp_path), 1, lambda: None, lambda: None).run()
    assert "did not stop within" in caplog.text
    assert all(is_gone(pid) for pid in pids())


def test_workers_end_with_a_parent_that_is_killed(tmp_path, pids):
    code = (
        "import functools, pathlib, sys\n"
        "from tests.cds.http import worker_kinds\n"
        "from wardround.cds.http.workers import Workers\n"
        "work = functools.partial(worker_kinds.attached, pathlib.Path(sys.argv[1]))\n"
        "Workers(work, 2, lambda: None, lambda: None).run()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=PROJECT) as parent:
        until(lambda: len(pids()) == 2)
        parent.kill()
    until(lambda: all(is_gone(pid) for pid in pids()))
