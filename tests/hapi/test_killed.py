"""Screenings of HAPI FHIR of which one side is killed while results are written (SIGKILL)."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from tests.hapi.screening import recognised, results, screened, stays_of
from tests.loopback import Forward, Line, gateway_before

from wardround.adapters.files.run_folder import runs_in
from wardround.fhir.patience import Patience
from wardround.workflows.screen import Means, ScreeningRequest, require_complete, screen

pytestmark = pytest.mark.hapi


@contextmanager
def at_second_write(server: str, answered: bool, strike: Callable[[], object]) -> Iterator[str]:
    """A gateway that strikes once, before or after the server does the second batch of RiskAssessments; such a batch
    is not answered."""
    writes, lock = iter(range(1, 1000)), threading.Lock()

    def meet(line: Line, forward: Forward) -> None:
        with lock:
            struck = b'"ifNoneExist":"identifier=urn:wardround:risk' in line.body and next(writes) == 2
        if not struck:
            return line.pass_on(forward())
        if answered:
            forward()
        strike()
        return line.hang_up()

    with gateway_before(server, meet) as url:
        yield url


@pytest.mark.parametrize("answered", [False, True], ids=["before", "after"])
def test_a_screening_that_was_killed_is_resumed(source, settings, as_of, answered: bool) -> None:
    places = {"VAR": settings.var, "RUNS": settings.runs, "MODELS": settings.models}
    environment = os.environ | {f"WARDROUND_{name}": str(place) for name, place in places.items()}

    def command(*arguments: str) -> "subprocess.Popen[str]":
        whole = [sys.executable, "-m", "wardround", "screen", *arguments, "--json"]
        return subprocess.Popen(whole, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    running: list[subprocess.Popen[str]] = []
    with at_second_write(source.base_url, answered, lambda: running[0].kill()) as url:
        running.append(command("sepsis", "--source", url, "--as-of", as_of, "--chunk", "2"))
        running[0].communicate()
        assert running[0].returncode == -signal.SIGKILL
        (run,) = runs_in(settings.runs)
        resumed = command("--resume", run)
        said, complaint = resumed.communicate()
    assert resumed.returncode == 0, complaint
    summary = json.loads(said)
    risks, provenances = results(source, as_of)
    assert summary["scored"] == summary["written"] == len(risks) == len(provenances) > 2
    assert len(set(stays_of(risks))) == len(risks)


@pytest.mark.parametrize("answered", [False, True], ids=["before", "after"])
def test_a_server_that_was_killed_and_is_up_again_holds_each_result_once(
    filled, source, settings, as_of, answered: bool
) -> None:
    def strike() -> None:
        filled.kill()
        filled.start()

    with at_second_write(source.base_url, answered, strike) as url:
        there = recognised(url)
        request = ScreeningRequest(condition="sepsis", source_url=url, as_of=as_of, chunk_size=2)
        patience = Patience(wait=timedelta(minutes=10))
        summary = screen(request, Means(there, settings, lambda *_: None, patience=patience))
        require_complete(summary.run, settings)
        again = screened(there, settings, as_of)
    risks, provenances = results(source, as_of)
    assert summary.scored == summary.written == len(risks) == len(provenances) > 2
    assert len(set(stays_of(risks))) == len(risks)
    assert again["unchanged"] == again["written"] == summary.written
