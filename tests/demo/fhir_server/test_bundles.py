"""Tests batches and transactions."""

from collections.abc import Callable
from typing import Any

import pytest

Risk = Callable[..., dict[str, Any]]


def entry(method: str, url: str, resource: Any = None, full_url: str = "", **request: str) -> dict[str, Any]:
    made: dict[str, Any] = {"request": {"method": method, "url": url, **request}}
    if resource is not None:
        made["resource"] = resource
    if full_url:
        made["fullUrl"] = full_url
    return made


def statuses(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["response"]["status"][:3] for one in answer.json()["entry"]]


def test_batch_entries_succeed_and_fail_alone(fhir: Any, risk: Risk) -> None:
    fhir.put({"resourceType": "Patient", "id": "batch"})
    answer = fhir.batch(
        entry("PUT", "RiskAssessment?identifier=urn:test|b1", risk("b1")),
        entry("PUT", "RiskAssessment?identifier=urn:test|b2", risk("b2", status="nonsense")),
        entry("GET", "Patient/batch"),
        entry("GET", "Patient/nobody"),
        entry("GET", "RiskAssessment?identifier=urn:test|b1"),
        entry("POST", "Nonsense", {"resourceType": "Nonsense"}),
        entry("FETCH", "Patient/batch"),
        entry("DELETE", "Patient/batch"),
    )
    assert statuses(answer) == ["201", "400", "200", "404", "200", "404", "400", "204"]
    entries = answer.json()["entry"]
    assert entries[0]["response"].keys() == {"status", "location", "etag", "lastModified"}
    assert "resource" not in entries[0]
    assert entries[1]["response"]["outcome"]["issue"][0]["code"] == "code-invalid"
    assert entries[2]["resource"]["id"] == "batch"
    assert entries[4]["resource"]["total"] == 1


def test_a_batch_returns_the_resources_if_the_client_prefers_them(fhir: Any, risk: Risk) -> None:
    put = entry("PUT", "RiskAssessment?identifier=urn:test|whole", risk("whole"))
    answer = fhir.batch(put, Prefer="return=representation")
    assert answer.json()["entry"][0]["resource"]["meta"]["versionId"] == "1"


def test_a_repeated_batch_of_conditional_updates_changes_nothing(fhir: Any, risk: Risk) -> None:
    puts = [entry("PUT", f"RiskAssessment?identifier=urn:test|r{number}", risk(f"r{number}")) for number in range(20)]
    first, again = fhir.batch(*puts), fhir.batch(*puts)
    assert (statuses(first), statuses(again)) == (["201"] * 20, ["200"] * 20)
    assert [one["response"]["etag"] for one in again.json()["entry"]] == ['W/"1"'] * 20


def test_the_same_criteria_twice_in_a_batch_make_one_resource(fhir: Any, risk: Risk) -> None:
    put = entry("PUT", "RiskAssessment?identifier=urn:test|twice", risk("twice"))
    assert statuses(fhir.batch(put, put)) == ["201", "200"]


def test_a_batch_of_searches_answers_each(fhir: Any) -> None:
    answer = fhir.batch(*(entry("GET", f"Patient?_id=x{number}") for number in range(5)))
    assert [one["resource"]["total"] for one in answer.json()["entry"]] == [0] * 5


def test_a_transaction_resolves_urns_between_its_entries_in_any_order(fhir: Any) -> None:
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": "urn:uuid:1"},
        "encounter": {"reference": "urn:uuid:2"},
    }
    stay = {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"code": "IMP"},
        "subject": {"reference": "urn:uuid:1"},
        "identifier": [{"system": "urn:test", "value": "stay"}],
    }
    answer = fhir.batch(
        entry("POST", "Observation", observation, "urn:uuid:3"),
        entry("PUT", "Encounter?identifier=urn:test|stay", stay, "urn:uuid:2"),
        entry("POST", "Patient", {"resourceType": "Patient"}, "urn:uuid:1"),
        entry("GET", "Encounter?identifier=urn:test|stay"),
        kind="transaction",
    )
    assert statuses(answer) == ["201", "201", "201", "200"]
    locations = [one["response"].get("location", "").partition("/_history")[0] for one in answer.json()["entry"]]
    stored = fhir.search(locations[0])
    assert (stored["encounter"]["reference"], stored["subject"]["reference"]) == (locations[1], locations[2])
    assert answer.json()["entry"][3]["resource"]["total"] == 1
    assert fhir.ids(f"Observation?encounter={locations[1]}") == {stored["id"]}


def test_a_repeated_transaction_finds_what_it_created(fhir: Any, risk: Risk) -> None:
    def replay() -> Any:
        target = {"reference": "urn:uuid:9"}
        provenance = {
            "resourceType": "Provenance",
            "recorded": "2026-01-01T00:00:00Z",
            "agent": [{"who": {"display": "x"}}],
        }
        return fhir.batch(
            entry("POST", "RiskAssessment", risk("t9"), "urn:uuid:9", ifNoneExist="identifier=urn:test|t9"),
            entry("PUT", "RiskAssessment?identifier=urn:test|t10", risk("t10")),
            entry("POST", "Provenance", provenance | {"target": [target]}),
            kind="transaction",
        )

    first, again = replay(), replay()
    assert (statuses(first), statuses(again)) == (["201", "201", "201"], ["200", "200", "201"])
    location = first.json()["entry"][0]["response"]["location"].partition("/_history")[0]
    assert fhir.search(f"Provenance?target={location}")["total"] == 2


def test_a_transaction_with_one_invalid_entry_writes_nothing(fhir: Any, risk: Risk) -> None:
    fhir.put({"resourceType": "Patient", "id": "kept"})
    answer = fhir.batch(
        entry("DELETE", "Patient/kept"),
        entry("POST", "RiskAssessment", risk("rolled-back", code={"coding": [{"system": "urn:new", "code": "new"}]})),
        entry("PUT", "Patient/bad", {"resourceType": "Patient", "id": "bad", "gender": "nonsense"}),
        kind="transaction",
    )
    assert answer.status_code == 400
    assert "Bundle.entry[2]" in answer.json()["issue"][0]["diagnostics"]
    assert fhir.search("RiskAssessment?identifier=urn:test|rolled-back")["total"] == 0
    assert fhir.send("GET", "Patient/kept").status_code == 200


def test_row_numbers_of_a_rolled_back_transaction_are_not_reused(fhir: Any) -> None:
    def device(**more: Any) -> dict[str, Any]:
        kind = {"coding": [{"system": "urn:rolled", "code": "back"}]}
        return {"resourceType": "Device", "type": kind, "location": {"reference": "Location/unseen"}} | more

    bad = entry("POST", "Device", device(status="nonsense"))
    assert fhir.batch(entry("POST", "Device", device()), bad, kind="transaction").status_code == 400
    fhir.put({"resourceType": "Device", "id": "other", "type": {"coding": [{"system": "urn:o", "code": "o"}]}})
    fhir.put(device(id="real"))
    assert fhir.ids("Device?type=urn:rolled|back") == {"real"}
    assert fhir.ids("Device?location=Location/unseen") == {"real"}


def test_conditional_references_name_one_resource_or_the_transaction_fails(fhir: Any, risk: Risk) -> None:
    fhir.put({"resourceType": "Patient", "id": "c1", "identifier": [{"system": "urn:mrn", "value": "c1"}]})
    good = entry("POST", "RiskAssessment", risk("c1", subject={"reference": "Patient?identifier=urn:mrn|c1"}))
    bad = entry("POST", "RiskAssessment", risk("c2", subject={"reference": "Patient?identifier=urn:mrn|none"}))
    location = fhir.batch(good, kind="transaction").json()["entry"][0]["response"]["location"].partition("/_history")[0]
    assert fhir.search(location)["subject"]["reference"] == "Patient/c1"
    assert fhir.batch(good, bad, kind="transaction").status_code == 412


def test_two_entries_of_a_transaction_may_not_be_the_same_resource(fhir: Any, risk: Risk) -> None:
    put = entry("PUT", "RiskAssessment?identifier=urn:test|overlap", risk("overlap"))
    assert fhir.batch(put, put, kind="transaction").status_code == 400


@pytest.mark.parametrize(
    "bundle",
    [
        {"resourceType": "Patient"},
        [],
        {"resourceType": "Bundle"},
        {"resourceType": "Bundle", "type": "collection"},
        {"resourceType": "Bundle", "type": "batch", "entry": {}},
        {"resourceType": "Bundle", "type": "transaction", "entry": [{}]},
        {"resourceType": "Bundle", "type": "transaction", "entry": ["x"]},
    ],
)
def test_an_invalid_bundle_is_refused(fhir: Any, bundle: Any) -> None:
    answer = fhir.send("POST", "", bundle)
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"
