"""Tests that runs with the same results wait for each other, but not tasks of one run, nor anything for a dead run."""

import logging
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest

from wardround.adapters.files.turns import alone, turn

SERVER, WHAT = "http://127.0.0.1:9/fhir", ["sepsis at five"]
LONG = 60  # seconds; what is waited for comes at once


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.lock"))


def test_another_run_waits_until_all_tasks_of_the_first_have_left(tmp_path, caplog) -> None:
    caplog.set_level(logging.INFO)
    done: list[str] = []

    def other() -> None:
        with turn(tmp_path, SERVER, WHAT, "second"):
            done.append("second")

    with ThreadPoolExecutor(1) as pool:
        with turn(tmp_path, SERVER, WHAT, "first"):
            with turn(tmp_path, f"{SERVER}/", WHAT, "first"):
                waiting = pool.submit(other)
                while "waiting" not in caplog.text:
                    time.sleep(0.01)
            done.append("first")
        waiting.result(LONG)
    assert done == ["first", "second"]
    assert files(tmp_path) == ["gate.lock"]


def test_tasks_of_one_run_and_runs_about_something_else_go_together(tmp_path) -> None:
    together = Barrier(4)

    def go(server: str, what: list[str], run: str) -> None:
        with turn(tmp_path, server, what, run):
            together.wait(LONG)

    with ThreadPoolExecutor(4) as pool:
        same = [pool.submit(go, SERVER, WHAT, "run") for _ in range(2)]
        others = [pool.submit(go, SERVER, ["at six"], "other"), pool.submit(go, "http://elsewhere/fhir", WHAT, "other")]
        for each in (*same, *others):
            each.result(LONG)


def test_what_one_task_does_alone_no_other_does_at_the_same_time(tmp_path) -> None:
    inside, most = [], []

    def go(number: int) -> None:
        with alone(tmp_path, SERVER, WHAT):
            inside.append(number)
            most.append(len(inside))
            inside.remove(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(go, range(40)))
    assert most == [1] * 40


def test_a_turn_ends_with_an_error_and_with_its_process(tmp_path) -> None:
    with pytest.raises(ZeroDivisionError), turn(tmp_path, SERVER, WHAT, "broken"):
        raise ZeroDivisionError
    assert files(tmp_path) == ["gate.lock"]
    script = f"""
import os, signal
from pathlib import Path
from wardround.adapters.files.turns import turn
with turn(Path({str(tmp_path)!r}), {SERVER!r}, {WHAT!r}, "killed"):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    assert len(files(tmp_path)) == 2, "it left its file"
    entered = Event()
    with turn(tmp_path, SERVER, WHAT, "next"):
        entered.set()
    assert entered.is_set()
    assert files(tmp_path) == ["gate.lock"]
