"""Tests the log on stderr: warnings by default, each step with -v, each request with -vv; stdout is unaffected."""

import json
import os
import subprocess
import sys

import pytest

from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import running_server


@pytest.fixture(scope="module")
def server():
    with running_server() as running:
        yield running


def wardround(settings, *words: str) -> "subprocess.CompletedProcess[str]":
    places = {"HOME": settings.home, "VAR": settings.var, "RUNS": settings.runs, "MODELS": settings.models}
    environment = {**os.environ, **{f"WARDROUND_{name}": str(place) for name, place in places.items()}}
    command = [sys.executable, "-m", "wardround", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def screened(icu, server, settings):
    """screened(before, after) runs a screening of one stay, with options before and after the command's name."""
    icu.stay("a", lactate=6.0)
    icu.upload(server.base_url)
    given = ("screen", "sepsis", "--source", server.base_url, "--as-of", "2026-01-02T05:00:00Z", "--json")
    return lambda before=(), after=(): wardround(settings, *before, *given, *after)


def test_warnings_are_said_unasked_and_nothing_else(screened, server) -> None:
    quiet = screened()
    server.misbehave(FaultPlan(faults=(Fault(kind="status", status=503, path="/Observation/_search", times=1),)))
    warned = screened()
    server.misbehave(FaultPlan())
    assert (quiet.returncode, warned.returncode) == (0, 0)
    assert "WARNING" not in quiet.stderr
    assert " WARNING " in warned.stderr
    assert "answered 503; trying again in 0.5 s, attempt 2 of 5" in warned.stderr
    assert "INFO" not in quiet.stderr + warned.stderr


@pytest.mark.parametrize(("before", "after"), [(("-v",), ()), ((), ("--verbose",))], ids=["before", "after"])
def test_the_account_of_each_step_is_said_when_asked_for(screened, server, before, after) -> None:
    done = screened(before, after)
    run = json.loads(done.stdout)["run"]
    steps = ("find_stays", "extract, chunk 1", "check_quality", "score, chunk 1", "publish, chunk 1", "reconcile")
    assert [step for step in steps if f"INFO run {run}, {step}: done in " not in done.stderr] == []
    assert f"INFO run {run}: the report is at {json.loads(done.stdout)['report']}\n" in done.stderr
    assert "DEBUG" not in done.stderr


def test_twice_says_each_request_without_what_it_asks(screened, server) -> None:
    done = screened(after=("-vv",))
    assert f"DEBUG POST {server.base_url}/Observation/_search: answered 200 after " in done.stderr
    assert "?" not in done.stderr
