"""Tests that a process killed anywhere loses nothing that was acknowledged, and that nothing has its effect twice."""

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count

import pytest
from sqlalchemy import select, text
from tests.stream.killed_worker import KEYS, message

from wardround.adapters.database.tables import STREAM_MESSAGE
from wardround.adapters.queue.queue import Queue
from wardround.settings import PROJECT, database_in

pytestmark = pytest.mark.long

MESSAGES = 240
KILLS = 20


def run_worker(what: str, url: str, run: str, last: int, *numbers: int) -> tuple[int, list[int]]:
    """Runs a worker that is killed after `last` statements (0: never); returns its exit code and what it has said."""
    command = [sys.executable, "-m", "tests.stream.killed_worker", what, url, run, *map(str, (last, *numbers))]
    environment = {"PYTHONPATH": str(PROJECT / "src"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, -9), done.stderr
    return done.returncode, [int(line) for line in done.stdout.split()]


@pytest.fixture
def effects(queue: Queue) -> Callable[[], list[int]]:
    """effects() returns the numbers of which a stage has written down an effect, in order."""
    key = "integer primary key" if queue.database.place.file else "integer generated always as identity"
    with queue.database.writing() as connection:
        connection.execute(text(f"create table if not exists effects (id {key}, run text, number integer)"))

    def read() -> list[int]:
        asked = text("select number from effects where run = :run order by id")
        with queue.database.reading() as connection:
            return list(connection.execute(asked, {"run": queue.run}).scalars())

    return read


def stored(queue: Queue, stage: str) -> list[str]:
    asked = select(STREAM_MESSAGE.c.dedup).where(STREAM_MESSAGE.c.run == queue.run, STREAM_MESSAGE.c.stage == stage)
    with queue.database.reading() as connection:
        return list(connection.execute(asked.order_by(STREAM_MESSAGE.c.seq)).scalars())


def test_what_was_acknowledged_is_stored_once_however_often_the_listener_is_killed(queue, url):
    chance = random.Random(14)
    first = kills = 0
    while first < MESSAGES:
        last = chance.randrange(1, 30) if kills < KILLS else 0
        code, said = run_worker("intake", url, queue.run, last, first, MESSAGES)
        kills += code != 0
        assert said == list(range(first, first + len(said)))
        first += len(said)

        # The message after the last one that was acknowledged is sent again, whether it was stored or not.
        there = stored(queue, "flag")
        assert there[:first] == [f"digest {number}" for number in range(first)]
        assert len(there) <= first + 1
    assert kills == KILLS
    assert stored(queue, "flag") == [f"digest {number}" for number in range(MESSAGES)]


def test_every_message_has_one_effect_in_order_however_often_the_stage_is_killed(queue, url, effects):
    chance = random.Random(14)
    now = datetime.now(UTC)
    queue.put([message(number, now) for number in range(MESSAGES)])
    kills = 0
    for started in count(1):
        last = chance.randrange(1, 40) if kills < KILLS else 0
        code, _ = run_worker("stage", url, queue.run, last, started, 0)
        if code == 0:
            break
        kills += 1

    assert kills == KILLS
    assert sorted(effects()) == list(range(MESSAGES))
    assert stored(queue, "query") == [f"after {number}" for number in effects()]
    for key in range(KEYS):
        mine = [number for number in effects() if number % KEYS == key]
        assert mine == sorted(mine)


def test_a_message_is_on_disk_before_it_is_told(tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    url = database_in(tmp_path)
    log = tmp_path / "calls"
    worker = [sys.executable, "-m", "tests.stream.killed_worker", "intake", url, "", "0", "0", "10"]
    traced = ["strace", "-f", "-e", "trace=write,fsync,fdatasync", "-o", str(log), *worker]
    environment = {"PYTHONPATH": str(PROJECT / "src"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(traced, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == [str(number) for number in range(10)], done.stderr

    # Between one number that is told and the next, the write-ahead log is flushed to the disk.
    kinds = ["told" if "write(1," in line else "flushed" for line in log.read_text().splitlines() if _counts(line)]
    told = [place for place, kind in enumerate(kinds) if kind == "told"]
    assert len(told) == 10
    assert all("flushed" in kinds[before:at] for before, at in zip([0, *told], told, strict=False))


def _counts(line: str) -> bool:
    """Returns whether a line of strace's is one that tells a number, or the end of a flush."""
    return "write(1," in line or (("fsync" in line or "fdatasync" in line) and line.rstrip().endswith("= 0"))
