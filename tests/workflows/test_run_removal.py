"""Tests that runs are removed whole, by one process at a time, and that somebody's work is left alone."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest

from wardround.adapters.database.database import opened
from wardround.adapters.database.removed_runs import RemovedRun, removed_runs
from wardround.adapters.files.run_folder import RunFolder
from wardround.core.run_overview import RunName
from wardround.core.run_retention import Rule
from wardround.errors import DatabaseError
from wardround.settings import Settings
from wardround.workflows.run_list import overviews, run_names
from wardround.workflows.run_removal import is_worked_on, remove_runs
from wardround.workflows.run_retention import choose, is_in_use

NOW = datetime(2026, 6, 1, tzinfo=UTC)
FIRST, SECOND = "sepsis-20260101T050000Z-0a1b2c", "sepsis-20260102T050000Z-0a1b2c"


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Settings:
    """The installation with a store of runs in a folder, and in storage without folders."""
    runs = str(tmp_path / "runs") if request.param == "folder" else f"memory://{tmp_path.name}"
    return replace(settings, runs=runs)


def ended(settings: Settings, run: str, **summary: object) -> RunFolder:
    """A run that ended well, long ago."""
    folder = RunFolder.of(settings.runs, run)
    request = {"run": run, "condition": "sepsis", "source_url": "http://127.0.0.1:1/fhir", "mode": "live"}
    as_of = RunName.of(run).time.isoformat()
    stored = {"as_of": as_of, "model_version": "1", "spec_digest": "", "condition_version": "1"}
    folder.write_json("condition.json", {"title": "Sepsis"})
    folder.write_json("chunk-0001/failures.json", {})
    folder.write_json("chunk-0002/failures.json", {})
    folder.write_json("request.json", {**request, **stored, "software_version": "1"})
    folder.write_json("summary.json", {"found": 1, "complete": True, **summary})
    return folder


def aged(settings: Settings, hours: float = 25) -> None:
    """Makes all files of a local store as old as this, for NOW."""
    then = (NOW - timedelta(hours=hours)).timestamp()
    for path in Path(settings.runs).rglob("*"):
        os.utime(path, (then, then))


def removed(settings: Settings) -> list[RemovedRun]:
    with opened(settings.database) as database, database.reading() as connection:
        return removed_runs(connection)


def listed(settings: Settings) -> list[str]:
    return [one.run for one in overviews(run_names(settings), settings)]


def test_a_removed_run_leaves_nothing_but_its_account(store):
    ended(store, FIRST)
    ended(store, SECOND)
    assert remove_runs([RunName.of(FIRST)], "the rule", store, NOW, lambda _: False) == 1
    assert listed(store) == [str(name) for name in run_names(store)] == [SECOND]
    assert removed(store) == [RemovedRun(FIRST, NOW, "the rule")]
    assert RunFolder.of(store.runs, FIRST).list() == []
    assert remove_runs([RunName.of(FIRST)], "the rule", store, NOW, lambda _: False) == 0


def test_a_removal_that_was_interrupted_is_no_run_and_is_completed_by_the_next(store):
    folder = ended(store, FIRST)
    folder.write_json("removal.json", {"at": NOW.isoformat(), "why": "the rule"})
    assert remove_runs([], "another", store, NOW, lambda _: False) == 0
    assert listed(store) == [FIRST]  # it had only been announced
    folder.remove("request.json")
    assert listed(store) == []
    assert remove_runs([], "another", store, NOW, lambda _: False) == 0
    assert run_names(store) == []
    assert removed(store) == [RemovedRun(FIRST, NOW, "the rule")]


def test_a_run_that_somebody_has_begun_to_work_on_since_is_left_alone(store):
    ended(store, FIRST)
    assert remove_runs([RunName.of(FIRST)], "the rule", store, NOW, lambda _: True) == 0
    assert listed(store) == [FIRST]
    assert removed(store) == []


def test_nothing_is_removed_without_an_account_of_it(store):
    ended(store, FIRST)
    without = replace(store, database="postgresql://ward:s3cret@127.0.0.1:1/ward")
    with pytest.raises(DatabaseError):
        remove_runs([RunName.of(FIRST)], "the rule", without, NOW, lambda _: False)
    assert listed(store) == [FIRST]


def test_what_was_written_to_lately_is_in_use_wherever_it_is_stored(store):
    ended(store, FIRST)
    now = datetime.now(UTC)
    assert is_in_use(RunName.of(FIRST), store, now)
    assert not is_in_use(RunName.of(FIRST), store, now + timedelta(hours=25))
    assert not is_worked_on(RunName.of(FIRST), store, now)  # it ended
    RunFolder.of(store.runs, FIRST).remove("summary.json")
    assert is_worked_on(RunName.of(FIRST), store, now)
    assert not is_worked_on(RunName.of(FIRST), store, now + timedelta(hours=25))


def test_each_reason_to_stay_is_named_and_open_runs_go_if_it_is_said(settings, tmp_path):
    own = replace(settings, runs=str(tmp_path / "runs"))
    whole = {
        f"sepsis-202601{day:02d}T050000Z-0a1b2c": ended(own, f"sepsis-202601{day:02d}T050000Z-0a1b2c")
        for day in range(1, 8)
    }
    of = dict(zip(("gone", "unended", "incomplete", "unwritten", "retracting", "in use", "latest"), whole, strict=True))
    whole[of["unended"]].remove("summary.json")
    whole[of["incomplete"]].write_json("summary.json", {"found": 1, "failed": 1, "complete": False})
    whole[of["unwritten"]].write_json("history_missing.json", {"why": "full"})
    whole[of["retracting"]].write_json("retraction.json", {"at": "2026-01-02T05:00:00Z", "failed": 1})
    training = "train_sepsis-20260102T050000Z-0a1b2c"
    asked = {"condition": "sepsis", "created": "2026-01-02T05:00:00Z", "mimic": "mimic", "spec_digest": ""}
    for run in (training, "train_sepsis-20260103T050000Z-0a1b2c"):
        RunFolder.of(own.runs, run).write_json("request.json", asked)
        RunFolder.of(own.runs, run).write_json("version.json", {"version": "1"})
    aged(own)
    whole[of["in use"]].write_json("late.json", {})
    os.utime(Path(own.runs, of["in use"], "late.json"), (NOW.timestamp(), NOW.timestamp()))
    chosen = choose(Rule(before=NOW), None, own, NOW)
    assert {str(name): why for name, why in chosen.stay.items()} == {
        of["unended"]: "not_ended",
        of["incomplete"]: "not_complete",
        of["unwritten"]: "not_in_history",
        of["retracting"]: "not_complete",
        of["in use"]: "in_use",
        of["latest"]: "latest",
        training: "undecided",
        "train_sepsis-20260103T050000Z-0a1b2c": "latest",
    }
    assert list(map(str, chosen.remove)) == [of["gone"]]
    others = choose(Rule(before=NOW, is_open_too=True), "sepsis", own, NOW)
    assert {str(name): why for name, why in others.stay.items()} == {
        of["in use"]: "in_use",
        of["latest"]: "latest",
        "train_sepsis-20260103T050000Z-0a1b2c": "latest",
    }


def test_two_removals_at_once_remove_each_run_once(store):
    runs = [f"sepsis-20260101T05{minute:02d}00Z-0a1b2c" for minute in range(12)]
    for run in runs:
        ended(store, run)
    names, counts = run_names(store), []
    both = [
        Thread(target=lambda: counts.append(remove_runs(names, "the rule", store, NOW, lambda _: False)))
        for _ in range(2)
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sum(counts) == len(runs) == len(removed(store))
    assert run_names(store) == []


def test_a_removal_killed_at_any_touch_of_a_file_leaves_a_whole_run_or_none(settings, tmp_path):
    own = replace(settings, runs=str(tmp_path / "store"))
    for run in (FIRST, SECOND):
        ended(own, run)
    command = [sys.executable, "-m", "tests.workflows.killed_removal", own.runs, str(tmp_path / "work")]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    ends = [json.loads(line) for line in done.stdout.splitlines()]
    assert ends[0] == {"killed": True, "listed": [SECOND, FIRST], "whole": [SECOND, FIRST], "left": [], "rows": 2}
    assert ends[-1] == {"killed": False, "listed": [], "whole": [], "left": [], "rows": 2}
    assert len(ends) > 20
    for end in ends:
        assert end["listed"] == end["whole"]  # what looks like a run has all its files
        assert (end["left"], end["rows"]) == ([], 2)
