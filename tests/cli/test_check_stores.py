"""Tests what `wardround check-stores` finds, each thing by itself, and that nothing is found where all fits."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import delete, insert
from tests.fixtures.icu import Icu

from wardround.adapters.database.database import opened
from wardround.adapters.database.tables import HISTORY_RUN, NOTIFICATION
from wardround.adapters.files.run_folder import RunFolder
from wardround.cli.main import wardround
from wardround.core.run_overview import RunName
from wardround.demo.fhir_server.running import running_server
from wardround.errors import StoresDisagree
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings, places_in_environment
from wardround.workflows.run_list import run_names
from wardround.workflows.run_removal import remove_runs

TIMES = ("2026-01-02T05:00:00Z", "2026-01-02T06:00:00Z")
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def running() -> Iterator[str]:
    with running_server() as server:
        yield server.base_url


@pytest.fixture
def server(running: str) -> Iterator[str]:
    """A server with two stays, and nothing that another test has written."""
    icu = Icu()
    for name in ("a", "b"):
        icu.stay(name)
    icu.upload(running)
    yield running
    with FhirClient(FhirEndpoint(running)) as client:
        written = [f"{one['resourceType']}/{one['id']}" for one in client.search("RiskAssessment", {})]
        client.batch([{"request": {"method": "DELETE", "url": reference}} for reference in written])


@pytest.fixture
def own(settings: Settings, server: str, tmp_path: Path, lactate_models: Path) -> Settings:
    """An installation of its own, with two screenings."""
    shutil.copytree(lactate_models, tmp_path / "models")
    own = replace(settings, runs=str(tmp_path / "runs"), models=tmp_path / "models")
    for time in TIMES:
        done = called(own, "screen", "sepsis", "--source", server, "--as-of", time)
        assert done.exit_code == 0, done.output
    return own


def called(own: Settings, *words: str) -> Result:
    return CliRunner(env=places_in_environment(own)).invoke(wardround, words)


def found(own: Settings, *words: str) -> list[tuple[str, str]]:
    result = called(own, "check-stores", *words, "--json")
    findings = json.loads(result.stdout)["findings"]
    assert isinstance(result.exception, StoresDisagree) if findings else result.exit_code == 0
    assert all(one["remedy"] for one in findings)
    return [(one["store"], one["what"]) for one in findings]


def with_record(server: str) -> tuple[str, ...]:
    return ("--source", server, "--since", "2026-01-01")


def test_what_was_screened_fits_together(own: Settings, server: str) -> None:
    assert found(own, *with_record(server)) == []
    assert called(own, "check-stores").stdout == "Everything fits together.\n"
    assert "do not fit together" not in called(own, "check-stores").stderr


def test_a_run_whose_folder_was_lost_is_told_from_one_that_was_removed(own: Settings, server: str) -> None:
    later, earlier = run_names(own)
    shutil.rmtree(Path(own.runs) / str(later))
    assert found(own, *with_record(server)) == [
        ("runs", f"1 runs of the history have no folder: {later}"),
        ("record", f"2 results of sepsis as of {TIMES[1]} are of no run here"),
    ]
    done = called(own, "screen", "sepsis", "--source", server, "--as-of", TIMES[1])
    assert done.exit_code == 0
    assert [what for store, what in found(own, *with_record(server)) if store == "record"] == []
    remove_runs([earlier], "tests", own, NOW, lambda _: False)
    assert [what for _, what in found(own, *with_record(server)) if str(earlier) in what or TIMES[0] in what] == []


def test_a_run_that_did_not_end_is_to_be_resumed_and_its_results_wait_for_that(own: Settings, server: str) -> None:
    later, _ = map(str, run_names(own))
    for file in ("summary.json", "ledger.parquet"):
        RunFolder.of(own.runs, later).remove(file)
    assert found(own, *with_record(server)) == [("runs", f"{later}: did not end")]
    assert called(own, "screen", "--resume", later).exit_code == 0
    assert found(own, *with_record(server)) == []


def test_results_that_the_server_has_lost_are_written_again_by_resuming(own: Settings, server: str) -> None:
    run = next(str(name) for name in run_names(own) if RunName.of(str(name)).time.hour == 5)
    with FhirClient(FhirEndpoint(server)) as client:
        held = list(client.search("RiskAssessment", {"date": TIMES[0]}))
        client.batch([{"request": {"method": "DELETE", "url": f"RiskAssessment/{held[0]['id']}"}}])
    assert found(own, *with_record(server)) == [("record", f"{run}: the server lacks 1 of the 2 results that it had")]
    assert called(own, "screen", "--resume", run).exit_code == 0
    assert found(own, *with_record(server)) == []


def test_a_history_that_is_older_than_the_runs_is_rebuilt(own: Settings) -> None:
    with opened(own.database) as database, database.writing() as connection:
        connection.execute(delete(HISTORY_RUN))
    assert found(own) == [("database", "2 runs are missing from the history")]
    assert called(own, "history", "rebuild").exit_code == 0
    assert found(own) == []


def test_a_model_that_is_missing_is_named_as_live_and_for_the_runs_that_it_scored(own: Settings) -> None:
    (version,) = (path.name for path in (own.models / "sepsis").iterdir() if path.is_dir())
    (own.models / "sepsis" / version / "model.joblib").write_bytes(b"changed")
    assert found(own) == [("models", f"sepsis: the live version {version} is missing or changed")]
    (own.models / "sepsis" / "versions.json").unlink()
    assert ("runs", f"2 runs of sepsis were scored by {version}, which the model store does not have") in found(own)


def test_decisions_that_were_cut_short_are_found(own: Settings) -> None:
    decisions = own.models / "sepsis" / "decisions.jsonl"
    decisions.write_text("")
    ((store, what),) = found(own)
    assert (store, "was live according to them" in what) == ("models", True)


def test_people_that_are_known_by_hashes_need_the_key(own: Settings) -> None:
    with opened(own.database) as database, database.writing() as connection:
        connection.execute(insert(NOTIFICATION), {"stay": "hash", "condition": "sepsis", "channel": "ward"})
    assert found(own) == [("database", f"people are known by hashes, and their key is not in {own.var}")]
    (own.var / "cds").mkdir(parents=True)
    (own.var / "cds" / "pseudonyms.key").write_bytes(b"0" * 32)
    assert found(own) == []
