"""Runs the listener and the stages as a service manager does: each that dies is started again, and each dies often.

python -m tests.stream.killed_stages FOLDER KILLS SEED, with the settings in the environment. One process does all
imports, and forks a keeper for each process of the stream, which forks that process again and again: each ends itself
with SIGKILL at, or shortly after, a random one of the times that it writes to the database or sends a request. After so
many kills it goes on undisturbed. A keeper adds a line to FOLDER/<name> whenever its process has ended: the exit code.
"""

import itertools
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from random import Random
from threading import Thread
from typing import Final

import sklearn.linear_model  # noqa: F401
from fhir.resources.R4B.riskassessment import RiskAssessment  # noqa: F401
from sqlalchemy import event
from sqlalchemy.engine import Engine

import wardround.stream.query  # noqa: F401
from wardround.adapters.database.database import opened
from wardround.adapters.queue.queue import Queue
from wardround.adapters.sockets import LOOPBACK, listen
from wardround.settings import Settings, settings_from
from wardround.stream.metrics import Metrics
from wardround.stream.runner import Runner
from wardround.stream.serving import serve_listener, stopping, work
from wardround.stream.stage_metrics import StageMetrics
from wardround.stream.stages import LISTEN, STAGES, opened_stage

NAMES: Final = (LISTEN, *STAGES)
_LEASE: Final = timedelta(seconds=1)
"""What a process that was killed had in hand is taken again after so long; in earnest, after 15 seconds."""
_LATEST: Final = {LISTEN: 40, "flag": 30, "query": 80, "predict": 12, "notify": 60}
"""At which of its writes and requests a process dies at the latest: a few messages of each take so many."""
_LONGEST_DELAY: Final = 0.01
_REQUESTS: Final = {"socket.connect", "http.client.send"}
_WRITES: Final = ("INSERT", "UPDATE", "DELETE")


class Touches:
    """Counts writes and requests, and kills the process at one of them, or so many seconds after it."""

    def __init__(self, last: int, after: float) -> None:
        self._numbers, self._last, self._after = itertools.count(1), last, after

    def watch(self) -> None:
        sys.addaudithook(self._request)
        event.listen(Engine, "before_cursor_execute", self._statement)

    def _request(self, name: str, _arguments: object) -> None:
        if name in _REQUESTS:
            self._touch()

    def _statement(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().upper().startswith(_WRITES):
            self._touch()

    def _touch(self) -> None:
        if next(self._numbers) != self._last:
            return
        if self._after:
            Thread(target=self._kill).start()
        else:
            self._kill()

    def _kill(self) -> None:
        time.sleep(self._after)
        os.kill(os.getpid(), signal.SIGKILL)


def run(name: str, settings: Settings) -> None:
    """Runs one of the processes until SIGTERM."""
    if name == LISTEN:
        with listen(LOOPBACK, 0, name) as listening:
            serve_listener(settings, listening, lambda: None)
        return
    with stopping() as stop, opened(settings.database) as database:
        queue = Queue(database)
        with opened_stage(name, settings, queue) as stage:
            work(Runner(stage, queue, StageMetrics(name, Metrics()), lease=_LEASE), stop, lambda: None)


def forked(name: str, settings: Settings, touches: Touches | None) -> int:
    """Runs one of the processes in a fork; returns its id."""
    if pid := os.fork():
        return pid
    status = 1
    try:
        if touches is not None:
            touches.watch()
        run(name, settings)
        status = 0
    except BaseException:  # noqa: BLE001 - a fork must never return
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(status)


def keep(name: str, settings: Settings, ends: Path, kills: Iterable[Touches | None]) -> None:
    """Starts a process for each of `kills`, one after the other has ended."""
    for touches in kills:
        _, status = os.waitpid(forked(name, settings, touches), 0)
        with ends.open("a") as told:
            print(os.waitstatus_to_exitcode(status), file=told)


def kills_of(name: str, chance: Random, count: int) -> Iterable[Touches | None]:
    for _ in range(count):
        yield Touches(chance.randint(1, _LATEST[name]), chance.choice((0.0, chance.uniform(0, _LONGEST_DELAY))))
    yield None


def main(folder: str, kills: int, seed: str) -> None:
    settings = settings_from()
    for name in NAMES:
        if os.fork() == 0:
            keep(name, settings, Path(folder) / name, kills_of(name, Random(f"{seed} {name}"), kills))
            os._exit(0)
    sys.stdin.read()  # ends with whoever has started this, however that ends
    os.killpg(0, signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
