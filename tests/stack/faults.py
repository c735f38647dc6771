"""Kills one service while a screening is in one of its phases, and measures how long it takes to recover."""

import time
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any, Final

import pandas as pd
import requests
from tests.stack.container import Container
from tests.stack.rounds import SCREEN, state, tasks
from tests.stack.stack import NOW, Stack

from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import RunningServer
from wardround.errors import WardroundError

States = dict[tuple[str, int], str | None]
"""The state of each task of a run, by its id and its place among the mapped ones."""

KINDS: Final = ("worker", "scheduler", "redis", "postgres", "fhir")
PHASES: Final = ("extract", "score", "publish")
CHUNKS: Final = 4
_UNDER_WAY: Final = ("queued", "running")
_STARTED: Final = ("running", "success")
_LONGEST_DELAYS: Final = {"extract": 1.5, "score": 0.1, "publish": 1.5}
"""In seconds: shorter than the phase, whose tasks talk to a slow server or only compute."""
_SLOWLY: Final = FaultPlan(faults=(Fault(kind="delay", methods=("POST",), seconds=3.0),))
"""Of the FHIR server, so that no phase that talks to it is over before its fault."""


@dataclass(frozen=True)
class Round:
    """A fault: `kind` is killed with SIGKILL once the phase has started so many chunks, and `delay` seconds later."""

    number: int
    kind: str
    phase: str
    chunks: int
    delay: float

    @property
    def as_of(self) -> pd.Timestamp:
        """A prediction time of its own, so that the server shows which round wrote what."""
        return NOW + pd.Timedelta(minutes=self.number)

    def __str__(self) -> str:
        return f"{self.number:02}-{self.kind}-{self.phase}"


def rounds(count: int, seed: str) -> list[Round]:
    """Returns rounds in which each kind of fault meets each phase as often as the others, but for one time."""
    chance, pairs = Random(seed), list(product(KINDS, PHASES))
    drawn: list[tuple[str, str]] = []
    while len(drawn) < count:
        drawn += chance.sample(pairs, len(pairs))
    return [
        Round(number, kind, phase, chance.randint(1, CHUNKS // 2), chance.uniform(0, _LONGEST_DELAYS[phase]))
        for number, (kind, phase) in enumerate(drawn[:count], 1)
    ]


@dataclass(frozen=True)
class Outcome:
    """What became of a round.

    Attributes:
        run_id: Airflow's id of the screening.
        state: how it ended.
        hit: the tasks of the phase that were queued or running when the service was killed.
        seconds: from the kill until all that was queued or running had succeeded, and the run had gone on.
    """

    run_id: str
    state: str
    hit: int
    seconds: float


def play(stack: Stack, fault: Round) -> Outcome:
    """Screens the ward, with the fault, and returns what became of it once the run has ended."""
    RunningServer(stack.fhir_base_url.removesuffix("/fhir"), stack.containers["fhir"].pid).misbehave(_SLOWLY)
    run_id = stack.api.trigger(SCREEN, {"as_of": fault.as_of.isoformat(), "chunk_size": stack.stays // CHUNKS})

    def due() -> list[dict[str, Any]]:
        of_phase = [task for task in tasks(stack, run_id) if task["task_id"] == fault.phase]
        if of_phase and all(task["state"] == "success" for task in of_phase):
            return of_phase  # too late: nothing is hit
        enough = sum(task["state"] in _STARTED for task in of_phase) >= fault.chunks
        return [task for task in of_phase if task["state"] == "running"] if enough else []

    running = stack.wait_until(due, f"{fault.phase} has started", every=0.1)
    time.sleep(fault.delay)
    before = states(stack, run_id)
    victim(stack, fault.kind, str(running[0]["hostname"])).kill()
    killed = time.monotonic()
    stack.wait_until(lambda: has_recovered(stack, run_id, before), f"round {fault}: recovered")
    seconds = time.monotonic() - killed
    ended = stack.wait_until(lambda: state(stack, run_id), f"round {fault}: the screening has ended")
    return Outcome(run_id, ended, sum(task == fault.phase for task, _ in under_way(before)), seconds)


def victim(stack: Stack, kind: str, host: str) -> Container:
    """Returns the container to kill: of the workers, the one that runs a task of the phase."""
    return stack.containers[{"worker": host, "scheduler": "airflow-scheduler"}.get(kind, kind)]


def states(stack: Stack, run_id: str) -> States:
    return {(task["task_id"], task["map_index"]): task["state"] for task in tasks(stack, run_id)}


def under_way(found: States) -> set[tuple[str, int]]:
    return {task for task, state in found.items() if state in _UNDER_WAY}


def has_recovered(stack: Stack, run_id: str, before: States) -> bool:
    """Whether all that was under way has succeeded, and a task has started since, or none is left.

    Airflow cannot say while its database is away.
    """
    try:
        if state(stack, run_id):
            return True
        now = states(stack, run_id)
    except (WardroundError, requests.RequestException):
        return False
    started = {task for task, found in now.items() if found in _STARTED}
    begun_before = {task for task, found in before.items() if found in (*_STARTED, *_UNDER_WAY)}
    return all(now.get(task) == "success" for task in under_way(before)) and bool(started - begun_before)


def table(outcomes: dict[Round, Outcome]) -> str:
    """Returns, as Markdown, median and maximum of the recovery times in seconds, by kind and phase; then each round."""
    lines = ["| killed | " + " | ".join(PHASES) + " | all |", "| --- |" + " --- |" * (len(PHASES) + 1)]
    for kind in KINDS:
        cells = [in_short([o for r, o in outcomes.items() if r.kind == kind and r.phase == phase]) for phase in PHASES]
        lines.append(
            f"| {kind} | {' | '.join(cells)} | {in_short([o for r, o in outcomes.items() if r.kind == kind])} |"
        )
    lines += ["", "| round | chunks started | then | tasks hit | recovered |", "| --- | --- | --- | --- | --- |"]
    for fault, got in outcomes.items():
        lines.append(f"| {fault} | {fault.chunks} | {fault.delay:.1f} s | {got.hit} | {got.seconds:.0f} s |")
    return "\n".join(lines)


def in_short(outcomes: list[Outcome]) -> str:
    """Returns median and maximum."""
    if not outcomes:
        return ""
    seconds = pd.Series([outcome.seconds for outcome in outcomes])
    return f"{seconds.median():.0f}, {seconds.max():.0f}"
