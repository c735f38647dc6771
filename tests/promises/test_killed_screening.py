"""Tests that killed and simultaneous screenings end with one RiskAssessment and one Provenance per stay."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.loopback import Forward, Line, gateway_before

from wardround.adapters.files.run_folder import RunFolder, runs_in
from wardround.demo.fhir_server.running import running_server
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.workflows.screen import Means, ScreeningRequest, screen

STAYS = 3
CHUNK = 1


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_server() as running:
        yield running.base_url


@contextmanager
def gateway(server: str, met: Callable[[int, bool], bool]) -> Iterator[str]:
    """A gateway before the server. `met(n, answered)` is told of the n-th request before and after the server does it;
    where it says True the connection is closed, so that the caller gets no answer."""
    numbers, lock = iter(range(1, 1000)), threading.Lock()

    def meet(line: Line, forward: Forward) -> None:
        with lock:
            number = next(numbers)
        if met(number, False):
            return line.hang_up()
        given = forward()
        return line.hang_up() if met(number, True) else line.pass_on(given)

    with gateway_before(server, meet) as url:
        yield url


def arguments(source: str, as_of: str) -> list[str]:
    return ["screen", "sepsis", "--source", source, "--as-of", as_of, "--chunk", str(CHUNK), "--json"]


@dataclass(frozen=True)
class Ended:
    """How a fork ended: its exit code or minus the signal, its output, and how often it touched a file or a socket."""

    status: int
    stdout: str
    stderr: str
    events: int


class Forks:
    """Runs commands in forks of forking.py, so that none of them has to import anything."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.touches = 0
        """How many a screening has that nobody kills."""

    def start(self, arguments: list[str], environment: dict[str, str], **kill: float) -> int:
        """The process id; `kill` is kill_at and after."""
        job = {"arguments": arguments, "environment": environment, **kill}
        print(json.dumps(job), file=self._process.stdin, flush=True)
        return int(self._answer()["pid"])

    def end(self) -> Ended:
        return Ended(**self._answer())

    def run(self, arguments: list[str], environment: dict[str, str], **kill: float) -> Ended:
        self.start(arguments, environment, **kill)
        return self.end()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    command = [sys.executable, str(Path(__file__).with_name("forking.py"))]
    # A library's threads do not live on in a fork, so none are begun here; Arrow's allocator would begin one by itself.
    alone = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    alone["JE_ARROW_MALLOC_CONF"] = "background_thread:false"
    with subprocess.Popen(
        command, env=os.environ | alone, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Forks(process)
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    places = {"HOME": settings.home, "VAR": settings.var, "RUNS": settings.runs, "MODELS": settings.models}
    return {f"WARDROUND_{name}": str(place) for name, place in places.items()}


EACH_ONCE = [f"Encounter/e-s{place:02}" for place in range(STAYS)]


def touches(forks: Forks, begun: Callable[[str], list[str]], environment: dict[str, str], settings: Settings) -> int:
    """Returns how often a screening that nobody kills touches something, from what begins one at a minute and second.

    The second of two counts: the first also compiles modules and creates the Device, as no later one does.
    """
    for time in ("58:00", "59:00"):
        ended = forks.run(begun(time), environment)
        assert ended.status == 0, ended.stderr
        shutil.rmtree(settings.var)
    return ended.events


def fill(icu: Any, server: str) -> None:
    for place in range(STAYS):
        icu.stay(f"s{place:02}", lactate=1.0 + place / 3)
    icu.upload(server)


def held(server: str, as_of: str) -> tuple[list[str], int]:
    """Returns the encounter of each RiskAssessment for as_of, and the number of Provenances for them."""
    with FhirClient(FhirEndpoint(server)) as client:
        risks = [risk for risk in client.search("RiskAssessment", {}) if risk["occurrenceDateTime"] == as_of]
        ids = {f"RiskAssessment/{risk['id']}" for risk in risks}
        targets = [each["target"][0]["reference"] for each in client.search("Provenance", {})]
    assert ids <= set(targets)
    return sorted(risk["encounter"]["reference"] for risk in risks), sum(target in ids for target in targets)


def without_device(server: str) -> None:
    """Removes the Device, so that every case has to create it."""
    with FhirClient(FhirEndpoint(server)) as client:
        devices = [f"Device/{device['id']}" for device in client.search("Device", {})]
        client.batch([{"request": {"method": "DELETE", "url": device}} for device in devices])


# Before and after the server does the n-th request: 1 finds the stays, 2 to 4 fetch, 5 and 6 are about the Device, 7 to
# 18 write (of each of three chunks: search, write, search, write Provenance), 19 reconciles.
POINTS = [(1, True), (3, False), (5, False), (6, False), (6, True), (7, True), (8, False), (8, True), (9, True)]
POINTS += [(10, False), (10, True), (13, True), (16, True), (18, True), (19, True)]
# Of reading, of the Device and of writing, the request in whose midst most is begun and least is known; the others take
# a minute, and `make test-slow` kills at all.
TRIED_ALWAYS = [(3, False), (6, True), (10, True)]


@pytest.mark.parametrize(
    ("number", "answered"),
    [pytest.param(*point, marks=() if point in TRIED_ALWAYS else pytest.mark.long) for point in POINTS],
)
def test_a_screening_killed_at_any_request_is_repaired_by_the_next(
    icu, server, settings, environment, forks: Forks, number: int, answered: bool
) -> None:
    fill(icu, server)
    without_device(server)
    as_of = f"2026-01-02T05:{number:02}:{30 if answered else 0:02}Z"
    pids: list[int] = []
    started, killed, mending = threading.Event(), threading.Event(), threading.Event()

    def kill(at: int, done: bool) -> bool:
        if not killed.is_set() and (at, done) == (number, answered):
            started.wait()
            os.kill(pids[0], signal.SIGKILL)
            killed.set()
        return killed.is_set() and not mending.is_set()

    with gateway(server, kill) as source:
        pids.append(forks.start(arguments(source, as_of), environment))
        started.set()
        ended = forks.end()
        assert ended.status == -signal.SIGKILL, ended.stderr
        mending.set()
        request = ScreeningRequest(condition="sepsis", source_url=source, as_of=as_of, chunk_size=CHUNK)
        summary = screen(request, Means(FhirEndpoint(source), settings, lambda *_: None)).as_json()
    assert held(server, as_of) == (EACH_ONCE, STAYS)
    assert (summary["written"], summary["failed"]) == (STAYS, 0)


# Twenty points of a screening that touches files and the network some hundred times: at such a touch, or shortly after.
_RANDOM = random.Random(7)
KILLS = [(_RANDOM.random(), 0.0 if number % 2 else _RANDOM.random() / 50) for number in range(20)]


@pytest.mark.parametrize(
    ("share", "after"),
    [
        pytest.param(*kill, id=f"{kill[0]:.3f}+{kill[1] * 1000:.0f}ms", marks=() if place < 4 else pytest.mark.long)
        for place, kill in enumerate(KILLS)
    ],
)
def test_a_screening_killed_at_a_random_point_is_resumed_and_loses_nothing(
    icu, server, settings, environment, forks: Forks, share: float, after: float
) -> None:
    """Kills, resumes, kills again as far from the end, and resumes: by the command, each time as a separate process."""
    fill(icu, server)
    if not forks.touches:
        forks.touches = touches(forks, lambda time: arguments(server, f"2026-01-02T06:{time}Z"), environment, settings)
    number = KILLS.index((share, after))
    as_of = f"2026-01-02T07:{number + 1:02}:00Z"

    def go_on() -> list[str]:
        """Returns what an operator types: --resume, or the whole command again if the run had not started."""
        opened = [run for run in runs_in(settings.runs) if RunFolder.of(settings.runs, run).exists("request.json")]
        return ["screen", "--resume", opened[0], "--json"] if opened else arguments(server, as_of)

    for work in (lambda: arguments(server, as_of), go_on):
        at = 1 + int(share * forks.touches)
        killed = forks.run(work(), environment, kill_at=at, after=after)
        # What is left of a run may be less than that.
        assert killed.status == -signal.SIGKILL or (work is go_on and killed.status == 0), killed.stderr
    ended = forks.run(go_on(), environment)
    assert ended.status == 0, ended.stderr
    summary = json.loads(ended.stdout)
    assert summary["found"] == summary["scored"] == summary["written"] == STAYS
    ledger = RunFolder.existing(settings.runs, summary["run"]).read_frame("ledger.parquet")
    assert ledger["stay_id"].tolist() == [encounter.removeprefix("Encounter/") for encounter in EACH_ONCE]
    assert (ledger["outcome"] == "scored").all()
    assert held(server, as_of) == (EACH_ONCE, STAYS)


@pytest.mark.parametrize("share", [*(pytest.param(share, marks=pytest.mark.long) for share in (0.3, 0.75)), 0.6, 0.9])
def test_a_screening_that_writes_elsewhere_is_killed_and_resumed_between_the_same_two_servers(
    icu, server, settings, environment, forks: Forks, share: float
) -> None:
    fill(icu, server)
    before = held(server, "")
    with running_server() as results:

        def begun(as_of: str) -> list[str]:
            return [*arguments(server, as_of), "--write-to", results.base_url]

        all_touches = touches(forks, lambda time: begun(f"2026-01-02T08:{time}Z"), environment, settings)
        as_of = "2026-01-02T09:00:00Z"
        began = begun(as_of)
        killed = forks.run(began, environment, kill_at=1 + int(share * all_touches))
        assert killed.status == -signal.SIGKILL, killed.stderr
        opened = [run for run in runs_in(settings.runs) if RunFolder.of(settings.runs, run).exists("request.json")]
        # The run knows where its results go.
        ended = forks.run(["screen", "--resume", opened[0], "--json"] if opened else began, environment)
        assert ended.status == 0, ended.stderr
        assert json.loads(ended.stdout)["written"] == STAYS
        with FhirClient(FhirEndpoint(results.base_url)) as client:
            risks = [risk for risk in client.search("RiskAssessment", {}) if risk["occurrenceDateTime"] == as_of]
            targets = [each["target"][0]["reference"] for each in client.search("Provenance", {})]
    named = sorted(f"Encounter/{risk['encounter']['identifier']['value']}" for risk in risks)
    assert (named, len(targets), len(set(targets))) == (EACH_ONCE, 3 * STAYS, 3 * STAYS)
    assert held(server, "") == before


def test_two_screenings_of_the_same_time_at_once_write_once(icu, server, environment) -> None:
    fill(icu, server)
    as_of = "2026-01-02T06:00:00Z"
    command = [sys.executable, "-m", "wardround", *arguments(server, as_of)]
    both = [subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE) for _ in range(2)]
    results: list[dict[str, Any]] = [json.loads(process.communicate(timeout=300)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert [result["written"] for result in results] == [STAYS, STAYS]
    assert held(server, as_of) == (EACH_ONCE, STAYS)
