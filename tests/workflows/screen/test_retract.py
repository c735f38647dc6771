"""Taking a run back: what is marked, what is left alone, and what a later run may do."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner

from wardround.adapters.files.run_folder import RunFolder
from wardround.cli.retract import command
from wardround.errors import FhirError, RunNotFound
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.results.amendment import RETRACTED_BY
from wardround.workflows.retract import retract
from wardround.workflows.screen import publish

AT = datetime(2026, 1, 2, 9, tzinfo=UTC)
WHY = "The ward's analyser was out of order."


@pytest.fixture
def taken_back(server, settings, transport):
    """taken_back(run) retracts it."""

    def run_it(run: str, at: datetime = AT, why: str = WHY) -> dict[str, Any]:
        with FhirClient(FhirEndpoint(server), transport) as client:
            return retract(run, client, settings, why, at).as_json()

    return run_it


@pytest.fixture
def ward(icu, server):
    for name, lactate in (("a", 1.0), ("b", 2.0), ("c", 6.0)):
        icu.stay(name, lactate=lactate)
    icu.stay("unknown", lactate=None, vitals=False)
    icu.upload(server)
    return icu


def statuses(held) -> list[str]:
    return [risk["status"] for risk in sorted(held("RiskAssessment"), key=lambda risk: risk["encounter"]["reference"])]


def test_all_that_a_run_wrote_is_marked_with_when_and_why(ward, screened, held, taken_back, settings) -> None:
    run = screened()["run"]
    before = held("RiskAssessment")
    result = taken_back(run)
    assert (result["retracted"], result["failed"], result["complete"]) == (3, 0, True)
    note = {"authorString": RETRACTED_BY, "time": "2026-01-02T09:00:00Z", "text": WHY}
    for earlier, now in zip(before, held("RiskAssessment"), strict=True):
        assert now["status"] == "entered-in-error"
        assert now["note"] == [*earlier["note"], note]
        assert now["prediction"] == earlier["prediction"]
    folder = RunFolder.existing(settings.runs, run)
    summary, ledger = folder.read_json("summary.json"), folder.read_frame("ledger.parquet")
    assert (summary["scored"], summary["written"], summary["retraction"]["retracted"]) == (3, 0, 3)
    assert dict(zip(ledger["stay_id"], ledger["reason"], strict=True))["e-a"] == "retracted"
    page = folder.read_text("report.html")
    assert "Retracted run" in page
    assert "2 January 2026, 09:00 UTC" in page


def test_taking_back_twice_writes_nothing_again(ward, screened, held, taken_back, transport) -> None:
    run = screened()["run"]
    first = taken_back(run)
    before = held("RiskAssessment")
    transport.sent.clear()
    assert taken_back(run, at=AT.replace(hour=11), why="another") == first
    assert transport.sent == []
    assert held("RiskAssessment") == before


def test_what_could_not_be_taken_back_is_taken_back_by_the_next_attempt(
    ward, screened, held, taken_back, transport, settings
) -> None:
    run = screened()["run"]
    refused = next(risk["id"] for risk in held("RiskAssessment") if risk["encounter"]["reference"] == "Encounter/e-b")
    transport.rewrite = lambda body: body.replace(f'"url":"RiskAssessment/{refused}"', '"url":"RiskAssessment/other"')
    result = taken_back(run)
    assert (result["retracted"], result["failed"], result["complete"]) == (2, 1, False)
    assert statuses(held) == ["entered-in-error", "final", "entered-in-error"]
    transport.rewrite = None
    result = taken_back(run, at=AT.replace(hour=11))
    assert (result["retracted"], result["failed"], result["complete"]) == (3, 0, True)
    times = {risk["note"][-1]["time"] for risk in held("RiskAssessment")}
    assert times == {"2026-01-02T09:00:00Z"}, "the first attempt's time holds"
    assert RunFolder.existing(settings.runs, run).read_json("summary.json")["written"] == 0


def test_what_a_later_run_wrote_in_its_place_is_left_alone(ward, server, screened, held, taken_back) -> None:
    run = screened()["run"]
    ward.lactate("p-a", "late", 6.0, hours=0.5)
    ward.upload(server)
    screened()
    result = taken_back(run)
    assert (result["retracted"], result["superseded"], result["complete"]) == (2, 1, True)
    assert statuses(held) == ["amended", "entered-in-error", "entered-in-error"]


def test_a_later_run_of_the_same_time_writes_again_as_amended(ward, screened, held, taken_back) -> None:
    taken_back(screened()["run"])
    summary = screened()
    assert (summary["written"], summary["failed"]) == (3, 0)
    assert statuses(held) == ["amended"] * 3
    assert all(len(risk["note"]) == 1 for risk in held("RiskAssessment"))
    assert len(held("Provenance")) == 3


def test_a_run_that_was_taken_back_writes_nothing_more(ward, screened, held, taken_back, settings, server) -> None:
    run = screened()["run"]
    taken_back(run)
    with FhirClient(FhirEndpoint(server)) as client:
        publish(run, 1, client, settings)
    assert statuses(held) == ["entered-in-error"] * 3
    written = RunFolder.existing(settings.runs, run).read_json("chunk-0001/written.json")
    assert list(written["failed"].values()) == ["write:retracted"]


def test_a_run_that_ended_before_it_had_a_ledger_is_taken_back_too(
    ward, screened, held, taken_back, transport, settings
) -> None:
    transport.refuse = lambda body: 500 if '"resourceType":"Provenance"' in body else None
    with pytest.raises(FhirError):
        screened(chunk_size=3)
    transport.refuse = lambda _body: None
    (run,) = {path.name for path in (settings.var / "runs").iterdir() if path.name.startswith("sepsis-")}
    assert statuses(held) == ["final"] * 3
    assert taken_back(run)["retracted"] == 3
    assert statuses(held) == ["entered-in-error"] * 3


def test_a_run_that_wrote_nothing_takes_nothing_back(ward, screened, held, taken_back, transport) -> None:
    screened()
    run = screened(mode="shadow")["run"]
    transport.sent.clear()
    result = taken_back(run)
    assert (result["retracted"], result["missing"], result["complete"]) == (0, 0, True)
    assert transport.sent == []
    assert statuses(held) == ["final"] * 3


def test_another_server_or_no_run_is_an_error(ward, screened, settings, taken_back) -> None:
    run = screened()["run"]
    with (
        FhirClient(FhirEndpoint("http://127.0.0.1:9/fhir")) as other,
        pytest.raises(FhirError, match="does not hold the results"),
    ):
        retract(run, other, settings, WHY, AT)
    with pytest.raises(RunNotFound):
        taken_back("sepsis-20260102T050000Z-ffffff")


def test_the_command_takes_a_run_back_and_says_how_much(ward, screened, held, settings, monkeypatch) -> None:
    run = screened()["run"]
    places = {"HOME": settings.home, "VAR": settings.var, "MODELS": settings.models, "RUNS": settings.runs}
    for name, place in places.items():
        monkeypatch.setenv(f"WARDROUND_{name}", str(place))
    done = CliRunner().invoke(command, [run, "--json", "--why", WHY])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["retracted"] == 3
    assert {risk["note"][-1]["text"] for risk in held("RiskAssessment")} == {WHY}
