"""Tests `wardround runs`: what it lists, finds and removes."""

import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from wardround.adapters.files.run_folder import RunFolder
from wardround.cli.main import wardround
from wardround.demo.fhir_server.running import running_server


@pytest.fixture(scope="module")
def server():
    with running_server() as running:
        yield running


@pytest.fixture
def own(settings, tmp_path) -> Any:
    return replace(settings, runs=str(tmp_path / "runs"))


def called(own, *words: str, answer: str = "") -> Result:
    places = {"HOME": own.home, "VAR": own.var, "RUNS": own.runs, "MODELS": own.models}
    named = {f"WARDROUND_{name}": str(place) for name, place in places.items()}
    return CliRunner(env=named).invoke(wardround, words, input=answer)


def screened(own, server, as_of: str, *more: str) -> str:
    result = called(own, "screen", "sepsis", "--source", server.base_url, "--as-of", as_of, *more, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["run"]


def listed(own, *words: str) -> list[str]:
    result = called(own, "runs", "list", *words, "--json")
    assert result.exit_code == 0, result.output
    return [run["run"] for run in json.loads(result.stdout)["runs"]]


@pytest.fixture
def two(icu, server, own) -> list[str]:
    """A run with only stay a, and a later one with a and b."""
    icu.stay("a")
    icu.upload(server.base_url)
    first = screened(own, server, "2026-01-02T05:00:00Z")
    icu.stay("b")
    icu.upload(server.base_url)
    return [first, screened(own, server, "2026-01-02T06:00:00Z")]


def test_runs_are_listed_and_found_by_patient(own, two) -> None:
    first, second = two
    assert listed(own) == [second, first]
    assert listed(own, "mortality") == []
    assert listed(own, "--patient", "p-a") == [second, first]
    assert listed(own, "--patient", "p-b") == [second]
    assert listed(own, "--patient", "p") == []
    table = called(own, "runs", "list", "sepsis").stdout
    assert all(run in table for run in two)
    assert "complete" in table
    assert called(own, "runs", "list", "mortality").stdout == f"No such run in {own.runs}.\n"


def test_the_message_for_an_invalid_day_shows_a_valid_one(own) -> None:
    refused = called(own, "runs", "prune", "--before", "yesterday")
    assert (refused.exit_code, "expected a day such as 2026-01-02" in refused.output) == (2, True)


def test_a_run_for_a_patient_is_found_whether_there_was_a_stay_or_not(icu, server, own) -> None:
    icu.stay("a")
    icu.upload(server.base_url)
    run = screened(own, server, "2026-01-02T05:00:00Z", "--cohort", "patients:p-a,gone")
    assert (listed(own, "--patient", "gone"), listed(own, "--patient", "p-a")) == ([run], [run])
    for name in ("stays.parquet", "cohort.parquet"):  # as where the server went away before it answered
        RunFolder.of(own.runs, run).remove(name)
    assert (listed(own, "--patient", "gone"), listed(own, "--patient", "nobody")) == ([run], [])


def test_runs_are_removed_only_after_they_were_listed_and_confirmed(own, two) -> None:
    first, second = two
    which = called(own, "runs", "prune")
    assert (which.exit_code, "say which runs" in which.output) == (2, True)
    refused = called(own, "runs", "prune", "--patient", "p-b", answer="n\n")
    assert second in refused.stderr
    assert listed(own) == [second, first]
    nobody = called(own, "runs", "prune", "--patient", "nobody", "--json")
    assert json.loads(nobody.stdout) == {"removed": 0}
    done = called(own, "runs", "prune", "--before", "2026-01-02T05:30:00Z", "--yes", "--json")
    assert json.loads(done.stdout) == {"removed": 1}
    assert listed(own) == [second]
    assert called(own, "runs", "prune", "sepsis", "--patient", "p-b", answer="y\n").exit_code == 0
    assert listed(own) == []
