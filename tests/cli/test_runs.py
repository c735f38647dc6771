"""Tests `wardround runs`: what it lists, finds and removes."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path
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
    places = {"HOME": own.home, "VAR": own.var, "RUNS": own.runs, "MODELS": own.models, "DATABASE": own.database}
    named = {f"WARDROUND_{name}": str(place) for name, place in places.items()}
    return CliRunner(env=named).invoke(wardround, words, input=answer)


def screened(own, server, as_of: str, *more: str) -> str:
    result = called(own, "screen", "sepsis", "--source", server.base_url, "--as-of", as_of, *more, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["run"]


def aged(own) -> None:
    """Makes the files of all runs two days old, as if nobody had worked on them since."""
    then = time.time() - 2 * 86_400
    for path in Path(own.runs).rglob("*"):
        os.utime(path, (then, then))


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
    assert json.loads(nobody.stdout) == {"removed": 0, "kept": {}}
    aged(own)
    done = called(own, "runs", "prune", "--before", "2026-01-02T05:30:00Z", "--yes", "--json")
    assert json.loads(done.stdout) == {"removed": 1, "kept": {}}
    assert listed(own) == [second]
    assert called(own, "runs", "prune", "sepsis", "--patient", "p-b", answer="y\n").exit_code == 0
    assert listed(own) == []


def test_a_rule_keeps_what_is_needed_and_says_why(own, two) -> None:
    first, second = two
    recent = called(own, "runs", "prune", "--older-than", "1d", "--yes", "--json")
    lately = "something was written to it in the last 24 hours"
    latest = "it is among the latest of its condition and source"
    assert json.loads(recent.stdout) == {"removed": 0, "kept": {lately: 1, latest: 1}}
    assert f"{first} stays: {lately}" in recent.stderr
    aged(own)
    RunFolder.of(own.runs, first).write_json("summary.json", {"found": 1, "failed": 1, "complete": False})
    aged(own)
    incomplete = called(own, "runs", "prune", "sepsis", "--keep", "1", "--yes", "--json")
    assert (json.loads(incomplete.stdout)["removed"], listed(own)) == (0, [second, first])
    assert called(own, "runs", "prune", "--keep", "2", "--unfinished", "--yes").exit_code == 0
    assert listed(own) == [second, first]
    done = called(own, "runs", "prune", "--keep", "1", "--unfinished", "--yes", "--json")
    assert (json.loads(done.stdout), listed(own)) == ({"removed": 1, "kept": {}}, [second])


def test_what_was_removed_is_in_the_history_by_its_rule(own, two) -> None:
    first, second = two
    assert called(own, "history", "removed").stdout == "No run was removed.\n"
    aged(own)
    called(own, "runs", "prune", "--before", "2026-01-02T05:30:00Z", "--yes")
    called(own, "runs", "prune", "--patient", "p-b", "--yes")
    result = called(own, "history", "removed", "--json")
    removed = json.loads(result.stdout)["removed"]
    assert [(one["run"], one["why"]) for one in removed] == [
        (second, "a patient's data were erased"),
        (first, "before 2026-01-02T05:30:00Z, not among the latest 1"),
    ]
    assert all(run in called(own, "history", "removed").stdout for run in two)
    assert json.loads(called(own, "history", "list", "--json").stdout)["runs"][0]["run"] == second


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--before", "2026-01-02", "--older-than", "1d"),
        ("--patient", "p", "--keep", "3"),
        ("--patient", "p", "--unfinished"),
    ],
)
def test_rules_that_say_nothing_or_contradict_are_refused(own, words) -> None:
    assert called(own, "runs", "prune", *words, "--yes").exit_code == 2


def test_the_list_shows_the_size_of_each_run(own, two) -> None:
    shown = json.loads(called(own, "runs", "list", "--json").stdout)["runs"]
    for run in shown:
        files = [path for path in Path(own.runs, run["run"]).rglob("*") if path.is_file()]
        assert run["bytes"] == sum(path.stat().st_size for path in files) > 0
    assert "kB" in called(own, "runs", "list").stdout
