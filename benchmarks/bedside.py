"""Measures the bedside door beside HealthChain 0.15.0's CDS Hooks service, at a fixed rate, and its memory.

Every call is about a new patient, and carries 60 or 180 KB of prefetch. All services run at the same time and take
turns in each round; whoever is not called waits. The client is a process of its own, which makes its calls and signs
their tokens before the clock runs.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bedside_calls import STAYS, write_calls
from benchmarks.bedside_services import Service, healthchain, wardround
from benchmarks.healthchain_job import Model
from benchmarks.measure import table
from benchmarks.population import ward
from benchmarks.screening import train
from wardround.candidates.names import CANDIDATE_NAMES

KILOBYTES = (60, 180)
CLIENTS = (1, 16)
ROUNDS = 3
RATE, SECONDS = 50, 60
CALLS = 400  # of Wardround in a round; HealthChain gets a sixth of them
WARM = 20  # calls of each service before it is measured
MEMORY = 3_000  # calls after which memory is read
# The door compares the same model that HealthChain is given; it is the one with which HealthChain is fastest.
COMPARED = "logistic_regression"
EXAMPLE, SAME, OURS, SIGNED = "HealthChain, its example", "HealthChain, same model", "Wardround", "Wardround, tokens"


@dataclass
class Measured:
    """The rounds of one service with one kind of calls; `took` is in seconds, of all calls together."""

    speeds: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    used: list[float] = field(default_factory=list)  # seconds of the service's processor time a call
    client: list[float] = field(default_factory=list)  # the same of the client's
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def speed(self) -> float:
        return statistics.median(self.speeds)

    @property
    def cpu(self) -> float:
        """Milliseconds of processor time a call."""
        return statistics.median(self.used) * 1000

    def latencies(self) -> list[str]:
        """Returns p50, p95 and p99 in milliseconds."""
        return [f"{value * 1000:.1f}" for value in np.quantile(self.took, (0.5, 0.95, 0.99))]


def measure(service: Service, calls: Path, into: Measured, **how: Any) -> None:
    """Sends calls of a file; `how` is what the client's job says of number, clients and rate."""
    job = {"calls": str(calls), "port": service.port, "path": service.path, **service.asked, **how}
    answered = service.answered() if service.answered else 0
    command = [sys.executable, "-m", "benchmarks.bedside_client"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin
        assert client.stdout
        client.stdin.write(json.dumps(job) + "\n")
        client.stdin.flush()
        if client.stdout.readline() != "made\n":
            raise RuntimeError(f"{service.name}: the client did not start")
        before = service.processor_time()
        client.stdin.write("go\n")
        client.stdin.flush()
        found = json.loads(client.stdout.readline() or "null")
        used = service.processor_time() - before
    number = how["number"]
    if found is None or (service.answered and service.answered() - answered != number):
        raise RuntimeError(f"{service.name}: did not answer every call")
    into.speeds.append(number / found["seconds"])
    into.took += found["took"]
    into.used.append(used / number)
    into.client.append(found["cpu"] / number)
    into.outcomes.update(found["outcomes"])


def compare(services: Sequence[Service], calls: dict[int, Path], rounds: int) -> dict[tuple[int, int, str], Measured]:
    """Calls all services in turn, by size of the calls, clients at a time, and name."""
    for service in services:
        measure(service, calls[KILOBYTES[-1]], Measured(), number=WARM, clients=1)
    found = {(size, clients, one.name): Measured() for size in calls for clients in CLIENTS for one in services}
    for _ in range(rounds):
        for (size, clients, name), measured in found.items():
            (service,) = (one for one in services if one.name == name)
            number = CALLS // 6 if service.answered else CALLS
            measure(service, calls[size], measured, number=number, clients=clients)
    return found


def compared_rows(found: dict[tuple[int, int, str], Measured]) -> Iterator[list[str]]:
    for (size, clients, name), one in found.items():
        ours, theirs = found[size, clients, OURS], name in (EXAMPLE, SAME)
        yield [
            name,
            str(size),
            str(clients),
            f"{one.speed:.1f}",
            *one.latencies(),
            f"{one.cpu:.2f}",
            f"{statistics.median(one.client) * 1000:.2f}",
            f"{ours.speed / one.speed:.1f}" if theirs else "",
            f"{one.cpu / ours.cpu:.1f}" if theirs else "",
        ]


def at_rate(services: Sequence[Service], calls: dict[int, Path], seconds: int) -> Iterator[list[str]]:
    """Sends calls at a fixed rate to each service; yields rows."""
    for service in services:
        for size, file in calls.items():
            measured = Measured()
            measure(service, file, measured, number=RATE * seconds, rate=RATE)
            outcomes = ", ".join(f"{name} {number:,}" for name, number in measured.outcomes.most_common())
            slowest = f"{max(measured.took) * 1000:.0f}"
            yield [service.name, str(size), *measured.latencies(), slowest, f"{measured.cpu:.2f}", outcomes]


def memory(models: Path, folder: Path, calls: Path) -> Iterator[list[str]]:
    """Yields, for each kind of live model, a worker's memory after many calls."""
    for kind in CANDIDATE_NAMES:
        with wardround(kind, models / kind, folder / f"memory-{kind}", tokens=False) as service:
            measured = Measured()
            measure(service, calls, measured, number=MEMORY, clients=1)
            rss, pss = service.memory()
            yield [kind, f"{MEMORY:,}", f"{rss:.0f}", f"{pss:.0f}", f"{measured.cpu:.2f}"]


def main(rounds: int = ROUNDS, seconds: int = SECONDS) -> None:
    """Trains a model of each kind, then measures."""
    with tempfile.TemporaryDirectory() as text, ExitStack() as stack:
        folder = Path(text)
        models = folder / "models"
        for kind in CANDIDATE_NAMES:
            places = {"WARDROUND_MODELS": str(models / kind), "WARDROUND_VAR": str(folder / "train")}
            train(ward(STAYS) / "mimic", places, "--candidates", kind, "--budget", "1")
        calls = {size: folder / f"calls-{size}.json" for size in KILOBYTES}
        for size, file in calls.items():
            write_calls(file, size, datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1))
        model = Model.live(models / COMPARED, folder)
        peers = [
            stack.enter_context(healthchain(name, model, folder, example=name == EXAMPLE)) for name in (EXAMPLE, SAME)
        ]
        doors = [
            stack.enter_context(wardround(name, models / COMPARED, folder / name, tokens=name == SIGNED))
            for name in (OURS, SIGNED)
        ]
        found = compare([*peers, *doors], calls, rounds)
        measured = ["calls/s", "p50 ms", "p95 ms", "p99 ms", "service ms", "client ms", "x calls/s", "x service ms"]
        table(
            f"Calls at the bedside, one worker (median of {rounds}); service ms and client ms: processor time a call",
            ["service", "KB", "clients", *measured],
            compared_rows(found),
        )
        table(
            "Their memory afterwards, MiB",
            ["service", "RSS", "PSS"],
            [[one.name, *(f"{value:.0f}" for value in one.memory())] for one in (*peers, *doors)],
        )
        table(
            f"Wardround at {RATE} calls a second for {seconds} s, from when each was due; service ms: processor time",
            ["service", "KB", "p50 ms", "p95 ms", "p99 ms", "slowest", "service ms", "what became of them"],
            list(at_rate(doors, calls, seconds)),  # first, so that the load is that of the measurement
        )
        stack.close()
        table(
            f"A worker's memory after {MEMORY:,} calls of {KILOBYTES[-1]} KB, MiB",
            ["live model", "calls", "RSS", "PSS", "service ms"],
            list(memory(models, folder, calls[KILOBYTES[-1]])),
        )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
