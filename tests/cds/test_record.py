"""Tests, over real HTTP, what of the scores at the bedside gets into the record, beside what screenings write there."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest
import yaml
from tests.cds.ehr import Ehr, keeping_in
from tests.cds.kept import Kept
from tests.cds.site import Site, site_at
from tests.cds.test_cards import retrained
from tests.fixtures.icu import AS_OF, Icu
from tests.fixtures.installation import FEW_FEATURES
from tests.waiting import until

from wardround.adapters.files.run_folder import RunFolder
from wardround.cds.door import Door
from wardround.cds.exchange import Request
from wardround.cds.record import Writing
from wardround.cds.screened import in_assessments
from wardround.core import run_files
from wardround.core.exclusion import Stay
from wardround.demo.fhir_server.running import running_server
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.results.fhir_validity import check_structure
from wardround.results.risk_assessment import Screening, identity
from wardround.results.written_shape import is_as_we_write
from wardround.settings import Settings
from wardround.workflows.retract import retract
from wardround.workflows.screen import Means, ScreeningRequest, screen

NOBODY = "http://127.0.0.1:1/fhir"
MINUTE = timedelta(minutes=1)
DOOR = {"system": "urn:wardround:door", "code": "bedside"}


@pytest.mark.parametrize(
    ("patient", "band", "outcome"), [("p-a", "high", "card"), ("p-mid", "moderate", "card"), ("p-low", "low", "low")]
)
def test_a_score_is_written_with_its_provenance_and_says_that_the_bedside_asked(
    site: Site, patient: str, band: str, outcome: str
) -> None:
    answer = site.answer(patient)
    said = orjson.loads(answer.body)["extension"]["com.wardround.risk"]

    site.write(answer.result)

    assert (site.told, said["outcome"]) == ([("written", "")], outcome)
    (held,) = site.held()
    assert held["prediction"][0]["probabilityDecimal"] == said["probability"]
    assert held["prediction"][0]["qualitativeRisk"]["coding"][0]["code"] == said["band"] == band
    assert held["subject"] == {"reference": f"Patient/{patient}"}
    assert held["method"]["coding"][1] == DOOR
    assert datetime.fromisoformat(held["occurrenceDateTime"]) == AS_OF
    check_structure(held)
    assert is_as_we_write({key: value for key, value in held.items() if key not in ("id", "meta")})
    (provenance,) = site.held("Provenance")
    assert provenance["target"] == [{"reference": f"RiskAssessment/{held['id']}"}]


def test_the_same_result_is_written_once_however_often_it_is_tried(site: Site) -> None:
    answer = site.answer()

    site.write(answer.result, answer.result)
    site.write(answer.result)

    assert site.told == [("written", ""), ("repeated", ""), ("repeated", "")]
    assert (len(site.held()), len(site.held("Provenance")), len(site.held("Device"))) == (1, 1, 1)


def test_a_chart_that_is_opened_again_adds_no_result_for_minutes_unless_something_new_is_known(site: Site) -> None:
    for minutes in (0, 4, 9.9):
        site.write(site.answer(after=minutes * MINUTE).result)
    assert [became for became, _ in site.told] == ["written", "repeated", "repeated"]
    assert [one["occurrenceDateTime"] for one in site.held()] == ["2026-01-02T05:00:00Z"]

    site.ehr.icu.lactate("p-a", "again", 5.9, hours=-0.15)
    site.write(site.answer(after=9.9 * MINUTE).result)
    assert len(site.held()) == 2

    site.write(site.answer(after=10 * MINUTE).result)
    assert (len(site.held()), len(site.held("Provenance"))) == (3, 3)
    assert [became for became, _ in site.told] == ["written", "repeated", "repeated", "written", "written"]


def test_hours_of_the_stay_that_go_on_are_nothing_new(
    site: Site, home_with: Callable[..., Settings], tmp_path: Path
) -> None:
    features = {**yaml.safe_load(FEW_FEATURES), "demographics": ["age", "sex", "hours_in_unit"]}
    settings = home_with(features=features)
    settings = replace(settings, models=retrained(settings, tmp_path / "models"))
    site.ehr.door = Door.of(settings, Kept(), servers=site.ehr.door.servers.listed)

    first, second = site.answer(), site.answer(after=5 * MINUTE)

    assert first.call is not None
    assert second.call is not None
    assert first.result is not None
    assert second.result is not None
    assert first.call.inputs_digest != second.call.inputs_digest
    assert first.result.rests_on == second.result.rests_on


def test_a_result_without_its_provenance_is_completed(site: Site) -> None:
    site.write(site.answer().result)
    (provenance,) = site.held("Provenance")
    with FhirClient(FhirEndpoint(site.url)) as client:
        client.batch([{"request": {"method": "DELETE", "url": f"Provenance/{provenance['id']}"}}])

    site.write(site.answer().result)

    assert site.told == [("written", "")] * 2
    assert (len(site.held()), len(site.held("Provenance"))) == (1, 1)


@pytest.mark.parametrize("by", ["a person", "wardround retract"])
def test_what_somebody_withdrew_is_not_written_again(site: Site, by: str) -> None:
    answer = site.answer()
    site.write(answer.result)
    (held,) = site.held()
    with FhirClient(FhirEndpoint(site.url)) as client:
        request = {"method": "PUT", "url": f"RiskAssessment/{held['id']}"}
        withdrawn = {**held, "status": "entered-in-error", "note": [{"authorString": by, "text": "wrong"}]}
        client.batch([{"resource": withdrawn, "request": request}])

    site.write(answer.result)

    assert site.told == [("written", ""), ("withdrawn", "")]
    assert [one["status"] for one in site.held()] == ["entered-in-error"]


def test_only_a_score_that_was_shown_of_a_listed_server_is_for_the_record(
    site: Site, home_with: Callable[..., Settings], tmp_path: Path
) -> None:
    assert site.answer().result
    again = site.answer()
    assert again.call is not None
    assert (again.call.outcome, again.result is not None) == ("locked_out", True)
    assert site.answer(fhirServer=None).result is None
    assert site.answer(fhirServer="https://other.example.org/fhir").result is None
    assert site.answer("p-few" if site.ehr.icu.stay("few", lactate=None, vitals=False) else "").result is None

    listed = site.ehr.door.servers.listed
    site.ehr.door = Door.of(site.settings, Kept(), servers=listed, as_of=AS_OF)
    assert site.answer().result is None
    site.ehr.door = Door.of(home_with(mode="shadow"), Kept(), servers=listed)
    shadow = site.answer()
    assert shadow.call is not None
    assert (shadow.call.outcome, shadow.result) == ("shadow", None)


def test_a_call_that_was_given_up_leaves_nothing_for_the_record(site: Site) -> None:
    body = orjson.dumps(site.ehr.call(fhirServer=site.url))
    answer = site.ehr.door.answer(Request("POST", "/cds-services/sepsis-risk", AS_OF, body, given_up=lambda: True))
    assert (answer.status, answer.result) == (503, None)


def test_a_suspension_between_answer_and_writing_counts(site: Site) -> None:
    answer = site.answer()
    live = SimpleNamespace(of=lambda _condition: SimpleNamespace(suspended=True))

    with replace(site.record, live=live).writing() as writing:  # type: ignore[arg-type]
        assert answer.result is not None
        writing.offer(answer.result)
        until(lambda: site.told)

    assert site.told == [("suspended", "")]
    assert site.held() == site.held("Device") == []


def test_a_stay_that_now_belongs_to_somebody_else_is_not_written(site: Site) -> None:
    answer = site.answer()
    with FhirClient(FhirEndpoint(site.url)) as client:
        moved = {**client.read("Encounter/e-a"), "subject": {"reference": "Patient/p-mid"}}
        client.batch([{"resource": moved, "request": {"method": "PUT", "url": "Encounter/e-a"}}])

    site.write(answer.result)

    assert site.told == [("failed", "subject_changed")]
    assert site.held() == []


def test_a_server_that_is_down_is_logged_once_and_every_result_is_told_of(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    answer = site.answer()
    assert answer.result is not None
    nowhere = replace(answer.result, source=FhirEndpoint(NOBODY, retries=0))
    caplog.set_level(logging.WARNING)

    site.write(nowhere, nowhere, answer.result)

    assert site.told == [("failed", "FhirUnreachable")] * 2 + [("written", "")]
    mine = [one.getMessage() for one in caplog.records if one.name == "wardround.adapters.outage"]
    assert len(mine) == 2
    assert mine[0].startswith(f"the record cannot be used: {NOBODY}: FhirUnreachable in ")
    assert mine[0].endswith("; it is logged again when it can")
    assert mine[1] == "the record can be used again; meanwhile, 2 results were not written"
    assert "p-a" not in caplog.text
    assert "e-a" not in caplog.text


def test_a_full_queue_and_a_stop_are_told_of_and_nothing_waits(site: Site) -> None:
    result = site.answer().result
    assert result is not None
    writing = Writing(site.record, most=1)  # of which nobody writes

    writing.offer(result)
    writing.offer(result)
    assert site.told == [("queue_full", "")]

    writing.stop()
    writing.offer(result)
    writing.leave()
    writing.run()  # what would be its thread, which finds nothing left
    assert site.told == [("queue_full", ""), ("stopped", ""), ("stopped", "")]


def test_a_result_for_another_server_names_patient_and_stay_as_a_screening_does(
    record_server: str, icu: Icu, ehr: Ehr, bedside: Settings, tmp_path: Path
) -> None:
    with running_server() as other:
        site = site_at(record_server, icu, ehr, bedside, tmp_path, write_to=FhirEndpoint(other.base_url))
        site.write(site.answer().result)

        assert site.told == [("written", "")]
        assert site.held() == []
        (held,) = replace(site, url=other.base_url).held()
    assert held["subject"] == {"type": "Patient", "identifier": {"system": f"{site.url}/Patient", "value": "p-a"}}
    assert {one["identifier"]["system"] for one in held["basis"]} == {f"{site.url}/Observation"}


@pytest.mark.long
def test_a_screening_of_the_same_moment_keeps_its_own_results_apart(site: Site) -> None:
    site.write(site.answer().result)
    asked = ScreeningRequest(condition="sepsis", source_url=site.url, as_of=AS_OF)
    source = FhirEndpoint(site.url)

    summary = screen(asked, Means(source, site.settings, lambda *_: None))
    assert (summary.complete, summary.problems, summary.written, summary.unchanged) == (True, {}, 3, 0)
    site.write(site.answer().result)
    with FhirClient(source) as client:
        retract(summary.run, client, site.settings, "a test", datetime.now(UTC))

    ledger = RunFolder.existing(site.settings.runs, summary.run).read_frame(run_files.LEDGER)
    assert len(ledger) == 3
    standing = [one["method"]["coding"] for one in site.held() if one["status"] != "entered-in-error"]
    assert [DOOR in codings for codings in standing] == [True]


def test_no_result_of_the_bedside_is_taken_for_a_screening(site: Site) -> None:
    site.write(site.answer().result)
    stay = Stay("e-a", "p-a", 0, 0, 0, 0, 0, None, "", "in-progress", 0, 0, "", "", "")

    (held,) = site.held()
    assert in_assessments([held], stay, "sepsis", AS_OF + timedelta(hours=1)) is None
    result = site.answer().result
    assert result is not None
    same = Screening(site.url, result.condition, result.call.model_version, "0", AS_OF)
    bedside = replace(same, door="bedside", rests_on=result.rests_on)
    assert identity(same, "e-a") != held["identifier"][0]["value"] == identity(bedside, "e-a")
    unmarked = {**held, "method": {"coding": held["method"]["coding"][:1]}}
    assert in_assessments([unmarked], stay, "sepsis", AS_OF + timedelta(hours=1))


def test_an_older_screening_is_found_behind_many_results_of_the_bedside(
    site: Site, home_with: Callable[..., Settings]
) -> None:
    """Charts are opened more often than screenings run."""
    site.write(site.answer().result)
    (held,) = site.held()
    depending = home_with(bedside={"only_if": {"screened": ["high"], "within": "1h"}})
    entries = []
    for number in range(60):
        asked = {**held, "id": f"r{number}", "identifier": [{**held["identifier"][0], "value": f"v{number}"}]}
        if number == 59:
            asked["method"] = {"coding": held["method"]["coding"][:1]}
        asked["occurrenceDateTime"] = (AS_OF - timedelta(minutes=120 * (number == 59) + number / 60)).isoformat()
        entries.append({"resource": asked, "request": {"method": "PUT", "url": f"RiskAssessment/r{number}"}})
    with FhirClient(FhirEndpoint(site.url)) as client:
        client.batch(entries)
    site.ehr.door = keeping_in(Door.of(depending, Kept(), servers=site.ehr.door.servers.listed), Kept())

    token = {"access_token": "t", "token_type": "Bearer", "expires_in": 300, "scope": "patient/*.rs", "subject": "w"}
    said = orjson.loads(site.answer(fhirAuthorization=token).body)

    assert said["extension"]["com.wardround.risk"]["outcome"] == "not_screened"
    assert "2 January 2026, 02:59" in said["cards"][0]["detail"]
