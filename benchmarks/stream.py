"""The stream: a steady feed, then a backlog after a downtime; all its processes on one core, the FHIR server outside.

`python -m benchmarks.stream [SECONDS]`: so many seconds at 50 messages a second; 600 is the aim, 30 the default.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import numpy as np
import psutil
from sqlalchemy import func, select

from benchmarks.measure import WARDROUND, run, table
from wardround.adapters.database.database import Database, opened
from wardround.adapters.database.tables import STREAM_MESSAGE
from wardround.adapters.queue.figures import ended
from wardround.adapters.queue.queue import Queue
from wardround.adapters.sockets import LOOPBACK, listen, url_of
from wardround.demo.fhir_server.running import running_server
from wardround.demo.hospital.charts import Charts
from wardround.demo.hospital.feed import Feed
from wardround.demo.hospital.installation import EARLIEST, with_stream
from wardround.demo.hospital.line import MllpLine
from wardround.demo.hospital.playing import Account, Pacing, play
from wardround.demo.hospital.present import machine_clock, run_of
from wardround.demo.hospital.stays import Recorded, stays_of
from wardround.demo.hospital.webhook import receiving
from wardround.demo.standalone import free_port
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.settings import Settings, kept_apart, places_in_environment, settings_from
from wardround.stream.stages import STAGES

RATE = 50
"""Messages a second: 150 times what the hospital of the notes sends."""
EVERY = 20
BACKLOG, PREDICTIONS = 7_500, 45
SPEED = 60
"""At the branch's first time, a minute after receipt, a stay has the readings of its first hour."""
_CORE = 0
_STAYS = 100
"""Of the ward; for more admissions, they come again under other numbers."""


def main(seconds: int = 30) -> None:
    """Prints both tables."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(running_server())
        webhook = stack.enter_context(listen(LOOPBACK, 0, "webhook"))
        stack.enter_context(receiving(webhook, lambda _: None))
        mllp = free_port()
        own = kept_apart(settings_from({}), folder)
        own = with_stream(own, folder, server.base_url, mllp, int(url_of(webhook).rpartition(":")[2]))
        (own.schemas / "conditions" / "mortality.yaml").unlink()
        places = places_in_environment(own)
        ward = folder / "ward"
        run([WARDROUND, "simulate", "--stays", str(_STAYS), "--seed", "1", "--out", str(ward)], places)
        run([WARDROUND, "train", "sepsis", "--mimic", str(ward / "mimic"), "--at", EARLIEST, "--budget", "1"], places)
        hospital = _Hospital(server.base_url, mllp, stays_of(ward / "fhir", ["ACUTE"], simulated=True))
        steady(own, hospital, seconds)
        backlog(own, hospital)


def steady(settings: Settings, hospital: "_Hospital", seconds: int) -> None:
    """Sends messages at a rate, and prints how long scores took and what the processes needed."""
    with _processes(settings, "all") as processes, opened(settings.database) as database:
        queue, began = Queue(database), datetime.now(UTC)
        first = _memory(processes)
        account = hospital.play(RATE * seconds, RATE, EVERY, seconds * RATE // EVERY)
        took = (datetime.now(UTC) - began).total_seconds()
        late = _open(database)
        _drained(database)
        last = _memory(processes)
        scores = [one.total for one in ended(queue, "notify", began, datetime.now(UTC)) if one.outcome != "dead"]
        asked = len(list(ended(queue, "query", began, datetime.now(UTC))))
    table(
        f"the stream: {RATE} messages a second for {seconds} s, every {EVERY}th to the unit",
        ["", "measured", "aim"],
        [
            ["messages acknowledged", f"{account.sent - account.not_acknowledged:,} of {account.sent:,}", "all"],
            ["a second", f"{account.sent / took:.0f}", str(RATE)],
            ["due and not handled at the end", f"{late:,}", ""],
            ["from due to written, p50 s", _quantile(scores, 0.5), "2"],
            ["from due to written, p95 s", _quantile(scores, 0.95), "5"],
            ["readings without a probability", f"{asked - len(scores):,} of {asked:,}", ""],
            *([f"{name}: MiB before, after", f"{first[name]:.0f}, {last[name]:.0f}", _limit(name)] for name in first),
        ],
    )


def backlog(settings: Settings, hospital: "_Hospital") -> None:
    """Lets messages wait as after six hours of downtime, and prints how long all stages take for them."""
    with opened(settings.database) as database:
        with _processes(settings, "listen"):
            began = time.monotonic()
            account = hospital.play(BACKLOG, 1e6, BACKLOG // PREDICTIONS, PREDICTIONS)
            sending = time.monotonic() - began
        time.sleep(60)  # until the branch's first time
        waiting = _open(database)
        began = time.monotonic()
        with ExitStack() as stack:
            for name in STAGES:
                stack.enter_context(_processes(settings, name))
            ready = time.monotonic() - began
            _drained(database)
            drained = time.monotonic() - began
    table(
        f"the stream: a backlog of {BACKLOG:,} messages with {PREDICTIONS} admissions",
        ["", "measured", "aim"],
        [
            ["acknowledged a second, one connection, with charts", f"{account.sent / sending:.0f}", ""],
            ["waiting", f"{waiting:,}", ""],
            ["all stages ready, s", f"{ready:.1f}", ""],
            ["drained, s from their start", f"{drained:.1f}", "60"],
        ],
    )


@dataclass(frozen=True)
class _Hospital:
    """The simulated hospital: its FHIR server, the port that it sends to, and its stays."""

    base_url: str
    mllp: int
    recorded: Recorded

    def play(self, messages: int, rate: float, every: int, stays: int) -> Account:
        account, now = Account(), datetime.now(UTC)
        with FhirClient(FhirEndpoint(self.base_url)) as client:
            charts = Charts(client, run_of(now), SPEED)
            charts.write_places(self.recorded.places)
            coming = (self.recorded.stays * (stays // len(self.recorded.stays) + 1))[:stays]
            line = MllpLine(LOOPBACK, self.mllp)
            pacing = Pacing(rate, messages)
            play(Feed(coming, charts, Random(1), run_of(now), every), charts, line, pacing, machine_clock(), account)
            line.close()
        return account


@contextmanager
def _processes(settings: Settings, name: str) -> Iterator["dict[str, psutil.Process]"]:
    """Runs one process of the stream, or all, on one core; gives those that work, by name."""
    command = [WARDROUND, "stream", *([] if name == "all" else [name]), "--port", "0", "--json", "--until-eof"]
    environment = {**os.environ, **places_in_environment(settings)}
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, {_CORE}),
    ) as child:
        assert child.stdout
        assert child.stdin
        if not child.stdout.readline():
            raise RuntimeError(f"stream {name} did not start; its message is above")
        found = psutil.Process(child.pid).children() or [psutil.Process(child.pid)]
        yield {_called(one): one for one in found}
        child.stdin.close()


def _called(process: psutil.Process) -> str:
    line = process.cmdline()
    return line[line.index("stream") + 1]


def _memory(processes: dict[str, psutil.Process]) -> dict[str, float]:
    """Returns the MiB of each process, shared pages in proportion (PSS)."""
    return {name: one.memory_full_info().pss / 2**20 for name, one in processes.items()}


def _limit(name: str) -> str:
    return "256, +5 %" if name in ("query", "predict") else "128, +5 %"


def _open(database: Database) -> int:
    message = STREAM_MESSAGE.c
    asked = select(func.count()).where(message.outcome.is_(None), message.due <= datetime.now(UTC))
    with database.reading() as connection:
        return int(connection.execute(asked).scalar_one())


def _drained(database: Database) -> None:
    """Waits until nothing waits but for the later times of its branch."""
    message, soon = STREAM_MESSAGE.c, 120
    while True:
        asked = select(func.min(message.due)).where(message.outcome.is_(None))
        with database.reading() as connection:
            due = connection.execute(asked).scalar()
        if due is None or (due - datetime.now(UTC)).total_seconds() > soon:
            return
        time.sleep(0.1)


def _quantile(values: list[float], share: float) -> str:
    return f"{np.quantile(values, share):.2f}" if values else "none"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
