"""`wardround history`: every run that ends is in it once, also when the database was down, and can be compared."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.adapters.database.test_bedside import fill_bedside

from wardround.adapters.database.database import opened
from wardround.adapters.database.history import run_in
from wardround.adapters.files.run_folder import RunFolder
from wardround.cli.main import wardround
from wardround.core import run_files
from wardround.demo.fhir_server.running import running_server
from wardround.errors import DatabaseError, RunNotFound, StorageError
from wardround.workflows.history import rebuild
from wardround.workflows.screen import require_complete

EARLY, LATE = "2026-01-02T05:00:00Z", "2026-01-02T06:00:00Z"


@pytest.fixture(scope="module")
def server():
    with running_server() as running:
        yield running


@pytest.fixture
def own(settings, tmp_path) -> Any:
    return replace(settings, runs=str(tmp_path / "runs"))


@pytest.fixture
def ward(icu, server) -> Any:
    """Six stays in one unit, beside those of other tests."""
    for name in "abcdef":
        icu.stay(name)
    icu.upload(server.base_url)
    return icu


def called(own, *words: str, answer: str = "") -> Result:
    places = {"HOME": own.home, "VAR": own.var, "RUNS": own.runs, "MODELS": own.models, "DATABASE": own.database}
    named = {f"WARDROUND_{name}": str(place) for name, place in places.items()}
    return CliRunner(env=named).invoke(wardround, words, input=answer)


def result_of(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def screen(own, server, *more: str) -> Result:
    return called(own, "screen", "sepsis", "--source", server.base_url, *more, "--json")


def screened(own, server, as_of: str, *more: str) -> str:
    return result_of(screen(own, server, "--as-of", as_of, *more))["run"]


def kept(own, run: str) -> Any:
    with opened(own.database) as database, database.reading() as connection:
        return run_in(connection, run)


def listed(own, *words: str) -> list[str]:
    return [run["run"] for run in result_of(called(own, "history", "list", *words, "--json"))["runs"]]


def no_progress(*_: Any) -> None:
    pass


def test_a_run_that_ended_is_listed_shown_and_compared(own, server, ward, icu) -> None:
    first = screened(own, server, EARLY)
    icu.stay("g")
    icu.upload(server.base_url)
    second = screened(own, server, LATE)
    assert listed(own) == listed(own, "sepsis", "--since", "2026-01-02") == [second, first]
    assert listed(own, "mortality") == listed(own, "--since", "2026-01-03") == []
    table = called(own, "history", "list").stdout
    assert first in table
    assert "complete" in table

    shown = result_of(called(own, "history", "show", first, "--json"))
    assert (shown["condition"], shown["as_of"], shown["mode"], shown["state"]) == ("sepsis", EARLY, "live", "complete")
    figures = {(one["unit"], one["measure"]): one["value"] for one in shown["figures"]}
    assert figures[None, "found"] == figures[None, "written"] >= 6
    units = {unit for unit, _ in figures} - {None}
    assert sum(figures[unit, "found"] for unit in units) == figures[None, "found"]
    assert "mean_score" in called(own, "history", "show", first).stdout

    changes = result_of(called(own, "history", "diff", first, second, "--json"))["changes"]
    found = next(one for one in changes if one["measure"] == "found" and one["unit"] is None)
    assert found["after"] == found["before"] + 1
    assert "found" in called(own, "history", "diff", first, second).stdout
    assert called(own, "history", "diff", first, first).stdout == "The figures are the same.\n"


def test_a_run_that_is_resumed_is_in_the_history_once(own, server, ward) -> None:
    run = screened(own, server, EARLY)
    before = kept(own, run)
    assert called(own, "screen", "--resume", run, "--json").exit_code == 0
    assert listed(own) == [run]
    changed = {"http_requests", "hours_after_as_of"}
    again = kept(own, run)
    figures = [[one for one in run.figures if one.measure not in changed] for run in (before, again)]
    assert figures[0] == figures[1]


def test_a_database_that_is_down_costs_no_run_and_leaves_no_silent_gap(own, server, ward, tmp_path) -> None:
    (tmp_path / "taken").touch()
    broken = replace(own, database=f"sqlite:///{tmp_path}/taken/ward.sqlite")
    result = screen(broken, server, "--as-of", EARLY)
    assert isinstance(result.exception, DatabaseError)
    assert "missing from the history" in str(result.exception)
    assert "there is a file where a folder is expected" in str(result.exception)
    # What was scored is written and reported all the same, and the summary was printed.
    assert not RunFolder.of(own.runs, json.loads(result.stdout)["run"]).exists(run_files.BEDSIDE)
    summary = json.loads(result.stdout)
    assert summary["written"] == summary["found"] >= 6
    assert Path(summary["report"]).is_file()
    # Clearing the last task, or resuming the run, does what was missed.
    assert called(own, "screen", "--resume", summary["run"], "--json").exit_code == 0
    assert listed(own) == [summary["run"]]
    assert not RunFolder.of(own.runs, summary["run"]).exists(run_files.HISTORY_MISSING)


def test_what_was_shown_at_the_bedside_before_a_run_is_in_its_report(own, server, ward) -> None:
    with opened(own.database) as database, database.writing() as connection:
        fill_bedside(connection)
    folder = RunFolder.of(own.runs, screened(own, server, EARLY))
    assert folder.read_json(run_files.BEDSIDE)["shown"] == {"high": 3, "moderate": 1, "info": 1}
    page = folder.read_text(run_files.AGGREGATES)
    assert '<th scope="row">High</th><td class="n">3</td><td class="n">–</td>' in page
    assert "1 message was about cards that are not known" in page


def test_a_rebuilt_history_is_the_one_that_the_runs_wrote(own, server, ward, tmp_path) -> None:
    runs = [screened(own, server, EARLY), screened(own, server, LATE, "--mode", "shadow")]
    other = replace(own, database=f"sqlite:///{tmp_path}/other.sqlite")
    for _ in range(2):
        done = result_of(called(other, "history", "rebuild", "--json"))
        assert done == {"written": 2, "unfinished": 0, "patients asked for by id": 0, "unreadable": []}
        assert [kept(other, run) for run in runs] == [kept(own, run) for run in runs]


def test_a_rebuilding_fills_the_gap_that_a_failing_database_left(own, server, ward, tmp_path) -> None:
    (tmp_path / "taken").touch()
    run = json.loads(
        screen(replace(own, database=f"sqlite:///{tmp_path}/taken/ward.sqlite"), server, "--as-of", EARLY).stdout
    )["run"]
    assert listed(own) == []
    assert rebuild(own, no_progress).written == 1
    assert listed(own) == [run]
    assert not RunFolder.of(own.runs, run).exists(run_files.HISTORY_MISSING)


def test_runs_in_object_storage_are_kept_and_rebuilt_as_others(own, server, ward, tmp_path) -> None:
    remote = replace(own, runs=f"memory://{tmp_path.name}/runs")
    run = screened(remote, server, EARLY)
    assert listed(remote) == [run]
    other = replace(remote, database=f"sqlite:///{tmp_path}/other.sqlite")
    assert rebuild(other, no_progress).written == 1
    assert kept(other, run) == kept(remote, run)


def test_the_last_step_of_a_run_tries_again_and_then_all_is_well(own, server, ward, tmp_path) -> None:
    (tmp_path / "taken").touch()
    broken = replace(own, database=f"sqlite:///{tmp_path}/taken/ward.sqlite")
    run = json.loads(screen(broken, server, "--as-of", EARLY).stdout)["run"]
    with pytest.raises(DatabaseError, match="missing from the history"):
        require_complete(run, broken)
    require_complete(run, own)
    assert listed(own) == [run]


def test_half_a_run_and_one_that_cannot_be_read_are_told_and_cost_no_other(own, server, ward) -> None:
    runs = [screened(own, server, as_of) for as_of in (EARLY, LATE)]
    RunFolder.of(own.runs, runs[0]).write_text(run_files.CONDITION, "{}")
    before = kept(own, runs[0])
    half = RunFolder.of(own.runs, "sepsis-20260103T050000Z-a1b2c3")
    half.write_json(run_files.REQUEST, {"condition": "sepsis"})
    done = rebuild(own, no_progress)
    assert (done.written, done.unfinished, done.unreadable) == (1, 1, (runs[0],))
    assert kept(own, runs[0]) == before


def test_patients_who_were_asked_for_by_their_ids_are_no_ward_and_in_no_history(own, server, ward) -> None:
    run = screened(own, server, EARLY, "--cohort", "patients:p-a")
    assert listed(own) == []
    assert rebuild(own, no_progress).patients == 1
    assert isinstance(called(own, "history", "show", run).exception, RunNotFound)


def test_the_figures_of_a_run_outlive_its_folder(own, server, ward) -> None:
    run = screened(own, server, EARLY)
    assert called(own, "runs", "prune", "--patient", "p-a", "--yes").exit_code == 0
    assert result_of(called(own, "runs", "list", "--json"))["runs"] == []
    assert rebuild(own, no_progress).written == 0
    assert listed(own) == [run]


def test_a_run_that_was_taken_back_says_so_in_the_history(own, server, ward, tmp_path) -> None:
    run = screened(own, server, EARLY)
    (tmp_path / "taken").touch()
    broken = replace(own, database=f"sqlite:///{tmp_path}/taken/ward.sqlite")
    refused = called(broken, "retract", run, "--json")
    assert isinstance(refused.exception, DatabaseError)
    assert json.loads(refused.stdout)["complete"]
    assert kept(own, run).state == "complete"
    assert called(own, "retract", run, "--json").exit_code == 0
    taken = kept(own, run)
    assert taken.state == "taken_back"
    assert next(one.value for one in taken.figures if (one.unit, one.measure) == ("", "written")) == 0


def test_no_patient_and_no_stay_is_in_the_database(own, server, ward, tmp_path) -> None:
    run = screened(own, server, EARLY)
    ledger = RunFolder.of(own.runs, run).read_frame(run_files.LEDGER)
    with opened(own.database) as database, database.writing() as connection:
        connection.exec_driver_sql("select 1")
    content = b"".join(path.read_bytes() for path in Path(own.var).glob("wardround.sqlite*"))
    assert run.encode() in content
    for identifier in (*ledger["stay_id"], *ledger["patient_id"]):
        assert identifier.encode() not in content


def test_runs_of_two_conditions_are_not_compared(own, server, ward) -> None:
    run = screened(own, server, EARLY)
    with opened(own.database) as database, database.writing() as connection:
        connection.exec_driver_sql("update history_run set condition = 'mortality'")
    other = screened(own, server, LATE)
    refused = called(own, "history", "diff", run, other)
    assert (refused.exit_code, "the runs are of different conditions" in refused.output) == (2, True)


def test_an_empty_history_says_so_and_a_broken_database_is_an_error_of_ours(own, tmp_path) -> None:
    assert called(own, "history", "list").stdout == "No such run in the history.\n"
    (tmp_path / "file").write_text("no database " * 1000)
    broken = called(replace(own, database=f"sqlite:///{tmp_path}/file"), "history", "list")
    assert isinstance(broken.exception, StorageError)
