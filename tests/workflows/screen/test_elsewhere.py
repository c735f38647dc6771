"""Results that go to another server than the source: what they say there, and that the source is only ever read."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.workflows.screen.somebody_else import change

from wardround.adapters.files.run_folder import RunFolder, runs_in
from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import RunningServer, running_server
from wardround.errors import FhirError, FhirUnreachable
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.spec.servers import GENERIC
from wardround.workflows.retract import retract
from wardround.workflows.screen import Means, ScreeningRequest, check_quality, reconcile, resume, screen, servers_in

NAMES = ("a", "b", "c")
READ_ONLY = FaultPlan(faults=(Fault(kind="status", status=405, methods=("PUT", "PATCH", "DELETE")),))
NUMBERS = "urn:hospital:patients"
VISITS = "urn:hospital:visits"
BY_PATIENT = GENERIC.model_copy(update={"encounter_needs_patient": True, "has_include": False, "has_batch": False})


def numbered(resource: dict[str, Any], number: str) -> None:
    system = NUMBERS if resource["resourceType"] == "Patient" else VISITS
    resource["identifier"] = [{"use": "official", "system": system, "value": number}]


@pytest.fixture(scope="module")
def hospital() -> Iterator[RunningServer]:
    with running_server() as running:
        yield running


@pytest.fixture
def source(hospital: RunningServer, icu) -> Iterator[RunningServer]:
    """A server with three stays that takes no write, whose patients and stays have numbers; it counts requests."""
    for name in NAMES:
        icu.stay(name, lactate=2.0)
    for resource in icu.resources:
        if resource["resourceType"] in ("Patient", "Encounter"):
            numbered(resource, f"{resource['resourceType'][0]}-{resource['id'][2:]}")
    icu.upload(hospital.base_url)
    hospital.misbehave(READ_ONLY)
    hospital.forget_requests()
    yield hospital
    tried = [kind for kind in hospital.requests() if not kind.startswith("GET ") and not kind.endswith("/_search")]
    hospital.misbehave(FaultPlan())
    with FhirClient(FhirEndpoint(hospital.base_url)) as client:
        kept = [f"{one['resourceType']}/{one['id']}" for one in icu.resources]
        client.batch([{"request": {"method": "DELETE", "url": reference}} for reference in kept])
    assert tried == [], "nothing may be written to the source, not even tried"


@pytest.fixture
def put(hospital: RunningServer) -> Callable[..., None]:
    """put(resource, …) changes it at the source, as the hospital's own system does."""

    def put_there(resource: dict[str, Any], **content: Any) -> None:
        hospital.misbehave(FaultPlan())
        change(hospital.base_url, resource, **content)
        hospital.misbehave(READ_ONLY)
        hospital.forget_requests()

    return put_there


Screened = Callable[..., dict[str, Any]]


@pytest.fixture
def means(source: RunningServer, server: str, settings, transport) -> Callable[..., Means]:
    def made(profile=GENERIC, taker: FhirEndpoint | None = None, mapped: bool = False, gate=check_quality) -> Means:
        read = FhirEndpoint(
            source.base_url,
            profile=profile,
            write_to=taker or FhirEndpoint(server),
            map_by_identifier=mapped,
            retries=0,
        )
        return Means(read, settings, lambda *_: None, transport, gate=gate)

    return made


@pytest.fixture
def screened(means) -> Screened:
    """screened(**request) screens the source, writes to `server`, and gives the summary."""

    def run(how: Means | None = None, mapped: bool = False, **asked: Any) -> dict[str, Any]:
        how = how or means(mapped=mapped)
        about = {"condition": "sepsis", "as_of": "2026-01-02T05:00:00Z", "chunk_size": 3, **servers_in(how.source)}
        return screen(ScreeningRequest.model_validate({**about, **asked}), how).as_json()

    return run


def ledger(settings, run: str) -> dict[str, str]:
    frame = RunFolder.existing(settings.runs, run).read_frame("ledger.parquet")
    return dict(zip(frame["stay_id"], frame["reason"], strict=True))


def the_others(icu, server: str) -> dict[str, dict[str, Any]]:
    """Puts the same patients and stays, by their numbers and under other ids, on the server that takes the results."""
    theirs = {}
    for one in icu.resources:
        if one["resourceType"] in ("Patient", "Encounter"):
            content = {**one, "id": f"their-{one['id']}"}
            if "subject" in one:
                content["subject"] = {"reference": one["subject"]["reference"].replace("/", "/their-")}
            theirs[f"{one['resourceType']}/{one['id']}"] = content
    write(server, *theirs.values())
    return theirs


def write(server: str, *resources: dict[str, Any]) -> None:
    requests = [{"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"} for one in resources]
    with FhirClient(FhirEndpoint(server)) as client:
        entries = [{"resource": one, "request": asked} for one, asked in zip(resources, requests, strict=True)]
        answers = client.batch(entries)
    assert {answer["response"]["status"][:1] for answer in answers} == {"2"}


def test_results_name_patient_and_stay_by_their_numbers_and_what_they_rest_on_by_its_address(
    screened, source, held
) -> None:
    summary = screened()
    assert (summary["written"], summary["failed"], summary["problems"]) == (3, 0, {})
    risks = sorted(held("RiskAssessment"), key=lambda risk: risk["subject"]["identifier"]["value"])
    assert [risk["subject"] for risk in risks] == [
        {"type": "Patient", "identifier": {"system": NUMBERS, "value": f"P-{name}"}} for name in NAMES
    ]
    assert [risk["encounter"]["identifier"]["value"] for risk in risks] == [f"E-{name}" for name in NAMES]
    basis = {one["type"]: one["identifier"]["system"] for risk in risks for one in risk["basis"]}
    assert basis == {"Observation": f"{source.base_url}/Observation"}
    values = {one["identifier"]["value"] for one in risks[0]["basis"]}
    assert {"o-p-a-lactate", "o-p-a-hr1.0"} <= values
    entities = [each["entity"][0]["what"]["identifier"] for each in held("Provenance")]
    assert sorted(entity["value"] for entity in entities) == ["E-a", "E-b", "E-c"]
    assert len(held("Device")) == 1


def test_without_a_number_the_address_at_the_source_names_them(screened, source, held, put, icu) -> None:
    for one in list(icu.resources):
        if one["id"] in ("p-a", "e-a"):
            put(one, identifier=[])
    screened()
    named = [risk["subject"]["identifier"] for risk in held("RiskAssessment")]
    assert {"system": f"{source.base_url}/Patient", "value": "p-a"} in named
    stays = [risk["encounter"]["identifier"] for risk in held("RiskAssessment")]
    assert {"system": f"{source.base_url}/Encounter", "value": "e-a"} in stays


def test_the_same_time_again_changes_nothing(screened, held) -> None:
    screened()
    before = held("RiskAssessment"), held("Provenance")
    summary = screened()
    assert (summary["written"], summary["unchanged"]) == (3, 3)
    assert (held("RiskAssessment"), held("Provenance")) == before


def test_a_result_that_names_somebody_else_there_is_found_and_put_right(
    screened, means, held, settings, server
) -> None:
    run = screened()["run"]
    (wrong, *_) = held("RiskAssessment")
    named = wrong["subject"]["identifier"]
    write(server, {**wrong, "subject": {"type": "Patient", "identifier": {**named, "value": "P-other"}}})
    with FhirClient(means().source) as client:
        problems = reconcile(run, client, settings).as_json()["problems"]
    assert list(problems.values()) == ["different"]
    assert screened()["problems"] == {}
    assert [risk["subject"] for risk in held("RiskAssessment") if risk["id"] == wrong["id"]] == [wrong["subject"]]


@pytest.mark.parametrize("profile", [GENERIC, BY_PATIENT], ids=["generic", "by patient"])
def test_a_stay_that_changed_at_the_source_is_not_written(
    screened, means, put, icu, held, settings, profile, tmp_path
) -> None:
    encounter = next(one for one in icu.resources if one["id"] == "e-a")
    (tmp_path / "patients.txt").write_text("\n".join(f"p-{name}" for name in NAMES))

    def gate(run: str, mine: Any) -> None:
        put(encounter, subject={"reference": "Patient/p-b"})
        check_quality(run, mine)

    asked = {"kind": "file", "path": str(tmp_path / "patients.txt")}
    run = screened(means(profile, gate=gate), cohort=asked)["run"]
    assert ledger(settings, run) == {"e-a": "subject_changed", "e-b": "", "e-c": ""}
    assert len(held("RiskAssessment")) == 2


def test_results_can_refer_to_the_patients_and_stays_that_the_other_server_has(
    screened, icu, server, held, transport
) -> None:
    the_others(icu, server)
    summary = screened(mapped=True)
    assert (summary["written"], summary["failed"]) == (3, 0)
    about = sorted((risk["subject"]["reference"], risk["encounter"]["reference"]) for risk in held("RiskAssessment"))
    assert about == [(f"Patient/their-p-{name}", f"Encounter/their-e-{name}") for name in NAMES]
    for kind in ("Patient", "Encounter"):
        looks = [body for path, body in transport.sent if path.endswith(f"/{kind}/_search") and "identifier=" in body]
        assert len(looks) == 1, "one search for a chunk"
    assert screened(mapped=True)["unchanged"] == 3


def test_who_cannot_be_found_there_beyond_doubt_fails_alone_and_says_why(
    screened, icu, server, held, settings, put
) -> None:
    for name in ("absent", "twice", "moved", "visitless", "numberless", "closed"):
        icu.stay(name, lactate=2.0)
    for one in icu.resources:
        if one["resourceType"] in ("Patient", "Encounter"):
            numbered(one, f"{one['resourceType'][0]}-{one['id'][2:]}")
            put(one, identifier=[] if one["id"] == "p-numberless" else one["identifier"])
        elif any(f"p-{name}" in one["id"] for name in ("absent", "twice", "moved", "visitless", "number", "closed")):
            put(one)
    theirs = the_others(icu, server)
    twin = {**theirs["Patient/p-twice"], "id": "twin"}
    # A number that is old there and means somebody else by now.
    twin["identifier"] = [{**twin["identifier"][0], "use": "old"}, {"system": NUMBERS, "value": "P-other"}]
    # A record that was merged into another counts no more.
    merged = {**theirs["Patient/p-a"], "id": "merged", "active": False}
    moved = {**theirs["Encounter/e-moved"], "subject": {"reference": "Patient/their-p-b"}}
    write(server, twin, merged, moved)
    gone = ["Patient/their-p-absent", "Encounter/their-e-visitless"]
    write(server, {**theirs["Patient/p-closed"], "active": False})
    with FhirClient(FhirEndpoint(server)) as client:
        client.batch([{"request": {"method": "DELETE", "url": reference}} for reference in gone])
    summary = screened(mapped=True, chunk_size=9)
    assert ledger(settings, summary["run"]) == {
        **dict.fromkeys(("e-a", "e-b", "e-c"), ""),
        "e-absent": "refer:patient_not_there",
        "e-closed": "refer:patient_not_there",
        "e-moved": "refer:encounter_of_another_patient_there",
        "e-numberless": "refer:patient_has_no_identifier",
        "e-twice": "refer:several_patients_there",
        "e-visitless": "refer:encounter_not_there",
    }
    assert len(held("RiskAssessment")) == 3


def test_a_run_is_taken_back_where_its_results_lie(screened, means, held, settings, source) -> None:
    run = screened()["run"]
    with FhirClient(means().source) as client:
        at = datetime(2026, 1, 2, 9, tzinfo=UTC)
        with pytest.raises(FhirError, match="does not hold the results"):
            retract(run, client, settings, "wrong", at)
        taken = retract(run, client.results, settings, "wrong", at).as_json()
    assert (taken["retracted"], taken["complete"]) == (3, True)
    assert {risk["status"] for risk in held("RiskAssessment")} == {"entered-in-error"}


def test_a_run_is_resumed_with_its_own_two_servers_alone(screened, means, settings, source) -> None:
    run = screened()["run"]
    how = means()
    here = replace(how, source=FhirEndpoint(source.base_url))
    there = replace(how, source=replace(how.source, write_to=FhirEndpoint("http://127.0.0.1:9/fhir")))
    for wrong in (here, there):
        with pytest.raises(FhirError, match="writes its results to http"):
            resume(run, wrong)
    assert resume(run, how).as_json()["unchanged"] == 3


def test_a_server_of_results_that_is_down_loses_nothing(screened, means, server, held, settings, transport) -> None:
    down = FhirEndpoint(server)
    transport.refuse = lambda body: 503 if "RiskAssessment" in body else None
    with pytest.raises(FhirUnreachable, match=server):
        screened(means(taker=down))
    transport.refuse = lambda _body: None
    (run,) = runs_in(settings.runs)
    assert resume(run, means()).as_json()["written"] == 3
    assert len(held("RiskAssessment")) == 3


def test_a_source_that_is_down_before_the_writing_loses_nothing(
    screened, means, hospital, held, settings, source
) -> None:
    def gate(run: str, mine: Any) -> None:
        hospital.misbehave(FaultPlan(faults=(Fault(kind="status", status=503),)))
        check_quality(run, mine)

    with pytest.raises(FhirUnreachable, match=source.base_url):
        screened(means(gate=gate))
    assert held("RiskAssessment") == []
    hospital.misbehave(READ_ONLY)
    (run,) = runs_in(settings.runs)
    assert resume(run, means()).as_json()["written"] == 3


def test_a_shadow_run_asks_the_server_of_results_nothing(screened, means, server) -> None:
    nowhere = FhirEndpoint("http://127.0.0.1:9/fhir", recognise=True)
    summary = screened(means(taker=nowhere), mode="shadow")
    assert (summary["scored"], summary["written"]) == (3, 0)


def test_the_server_of_results_is_recognised_for_itself(screened, means, server, settings, transport) -> None:
    summary = screened(means(taker=FhirEndpoint(server, recognise=True)))
    folder = RunFolder.existing(settings.runs, summary["run"])
    assert folder.read_json("results_profile.json")["profile"] == "wardround"
    assert not folder.exists("profile.json"), "the source's was chosen"
    assert summary["http_requests"] == len(transport.sent)


def test_the_run_says_where_its_results_are(screened, settings, server, source) -> None:
    summary = screened()
    assert (summary["source"], summary["results_at"]) == (source.base_url, server)
    folder = RunFolder.existing(settings.runs, summary["run"])
    request = folder.read_json("request.json")
    assert (request["write_to"], request["map_by_identifier"]) == (server, False)
    page = folder.read_text("report.html")
    assert [place in page for place in (source.base_url, server)] == [True, True]
