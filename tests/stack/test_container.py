"""Tests that a container's processes end with it, all of them, and that it is started again as Docker would."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tests.stack.container import INIT, Container, Runs

# A process that starts another in a session of its own, which outlives it, and says what both are.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(child.pid, flush=True)
if "leave" in sys.argv: sys.exit(3)
time.sleep(600)
"""


@pytest.fixture
def contained(tmp_path: Path) -> Iterator[Callable[..., Container]]:
    made: list[Container] = []

    def start(*words: str, restarts: bool = False) -> Container:
        command = [sys.executable, "-c", PARENT, *words]
        made.append(Container("c", Runs(command, os.environ, tmp_path, tmp_path / "log", restarts)))
        return made[-1]

    yield start
    for container in made:
        container.stop()


def said(folder: Path, count: int) -> list[int]:
    """Returns the processes that containers have named in their log, once there are so many."""
    while len(lines := (folder / "log").read_text().split()) < count:
        time.sleep(0.05)
    return [int(line) for line in lines]


def until_gone(process: int) -> None:
    while psutil.pid_exists(process):
        time.sleep(0.05)


def test_a_killed_container_leaves_no_process_not_even_one_in_another_session(contained, tmp_path) -> None:
    container = contained()
    [child] = said(tmp_path, 1)

    container.kill()

    until_gone(child)
    until_gone(container.pid)


def test_what_a_process_leaves_behind_ends_with_its_container(contained, tmp_path) -> None:
    container = contained("leave")
    [child] = said(tmp_path, 1)

    until_gone(child)

    while container.exit_code() is None:
        time.sleep(0.05)
    assert container.exit_code() == 3


def test_a_container_that_ends_is_started_again_unless_it_was_stopped(contained, tmp_path) -> None:
    container = contained("leave", restarts=True)
    first, second, *_ = said(tmp_path, 2)

    container.stop()

    assert first != second
    assert container.exit_code() is not None
    count = len(said(tmp_path, 2))
    until_gone(said(tmp_path, 2)[-1])
    assert len(said(tmp_path, 2)) == count


def test_a_container_ends_with_the_program_that_started_it(tmp_path) -> None:
    program = f"""
import subprocess, sys
subprocess.Popen([sys.executable, {str(INIT)!r}, sys.executable, "-c", {PARENT!r}], stdin=subprocess.PIPE)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        child = int(starter.stdout.readline())
        starter.kill()

    until_gone(child)
