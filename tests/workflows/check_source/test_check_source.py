"""What a check finds out is what the server does, and it leaves the server as it was."""

from dataclasses import replace
from typing import Any

import pytest

from wardround.demo.fhir_server.running import running_server
from wardround.errors import FhirError, FhirRefused
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.fhir.sign_in import ClientSecret
from wardround.spec.cohorts import Encounters
from wardround.spec.loading import load_server_profiles
from wardround.spec.servers import GENERIC
from wardround.workflows.check_source import check_source
from wardround.workflows.check_source.plan import plan
from wardround.workflows.check_source.reading import PAGE_ASKED

Facts = dict[str, Any]


def outcome_of(check, question: str) -> str:
    return next(finding.outcome for finding in check.findings if finding.question == question)


def test_a_server_that_can_all_works_throughout_and_its_page_is_found(check) -> None:
    found = check(write=True)
    assert {finding.outcome for finding in found.findings} == {"works"}
    assert found.differences == {"page_size": 10}
    assert (found.profile, found.known_from) == ("wardround", "tests")
    assert found.declares


def test_a_page_that_holds_all_that_was_asked_for_does_not_say_how_large_pages_can_be(schemas) -> None:
    code = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
    many = [
        {
            "resource": {"resourceType": "Observation", "status": "final", "code": code},
            "request": {"method": "POST", "url": "Observation"},
        }
        for _ in range(PAGE_ASKED + 1)
    ]
    with running_server() as server:
        source = FhirEndpoint(server.base_url)
        with FhirClient(source) as client:
            client.batch(many, repeat=False)
        found = check_source(source, load_server_profiles(schemas))
    assert outcome_of(found, f"a page of {PAGE_ASKED}") == "works"
    assert found.differences == {}


def test_every_answer_has_its_time(check) -> None:
    assert all(finding.milliseconds for finding in check(write=True).findings)


def needs_patient(method: str, path: str, form: dict[str, str]) -> int | None:
    search = method == "GET" and path in ("Encounter", "Observation")
    return 400 if search and "patient" not in form else None


def on(path: str, *names: str, method: str = "GET", status: int = 400):
    """Refuses requests to a path that hold all of these parameters."""
    return lambda m, p, form: status if (m, p) == (method, path) and set(names) <= set(form) else None


def conditional_update(method: str, path: str, form: dict[str, str]) -> int | None:
    return 412 if method == "PUT" or (method == "POST" and path == "") else None


def plain_observation(method: str, path: str, form: dict[str, str]) -> int | None:
    return 400 if (method, path) == ("GET", "Observation") and not {"code", "category"} & set(form) else None


def without_category(method: str, path: str, form: dict[str, str]) -> int | None:
    return 400 if (method, path) == ("GET", "Observation") and "category" not in form else None


def bare_reference(method: str, path: str, form: dict[str, str]) -> int | None:
    return 404 if method == "GET" and "patient" in form and not form["patient"].startswith("Patient/") else None


def two_patients(method: str, path: str, form: dict[str, str]) -> int | None:
    return 400 if "," in form.get("patient", "") else None


@pytest.mark.parametrize(
    ("refuse", "drop", "facts"),
    [
        (on("Encounter", "class"), (), {"encounter_by": ("type", "location", "date", "status")}),
        (None, ("class", "location", "status"), {"encounter_by": ("type", "date")}),
        (on("Location", "partof"), (), {"has_location_parts": False}),
        (None, ("partof",), {"has_location_parts": False}),
        (None, ("_lastUpdated",), {"has_last_updated": False, "has_date_with_last_updated": False}),
        (on("Encounter", "_lastUpdated", "date"), (), {"has_date_with_last_updated": False}),
        (on("Encounter/_search", method="POST", status=405), (), {"has_post_search": False}),
        (None, ("_include",), {"has_include": False}),
        (plain_observation, (), {"observation_needs": "code_or_category"}),
        (without_category, (), {"observation_needs": "category"}),
        (bare_reference, (), {"references": "type_and_id"}),
        (two_patients, (), {"patients_per_search": 1}),
        (on("", method="POST"), (), {"has_batch": False}),
        (conditional_update, (), {"has_batch": False, "has_conditional_update": False}),
        (on("RiskAssessment", method="POST"), (), {"has_conditional_create": False}),
    ],
)
def test_an_ability_that_is_taken_away_is_missed_and_no_other(check, wire, refuse, drop, facts: Facts) -> None:
    wire.refuse, wire.drop = refuse or wire.refuse, drop
    found = check(write=True).differences
    # Where little is answered, little fills a page.
    found.pop("page_size", None)
    assert found == facts


def test_a_server_that_answers_nothing_without_a_patient_is_asked_with_one_that_is_given(check, wire) -> None:
    wire.refuse = needs_patient
    found = check(patients=["p-a", "p-b"])
    assert found.differences["encounter_needs_patient"]
    assert "encounter_by" not in found.differences
    assert outcome_of(found, "Encounter of two patients") == "works"


def test_an_empty_server_proves_nothing_about_searches(schemas) -> None:
    with running_server() as server:
        found = check_source(FhirEndpoint(server.base_url), load_server_profiles(schemas))
    assert found.differences == {}
    assert outcome_of(found, "Encounter by class") == "unproven"


def test_without_write_nothing_is_written(check, wire) -> None:
    check()
    assert {method for method, path in wire.sent if not path.endswith("/_search")} == {"GET"}


@pytest.mark.parametrize("refuse", [None, on("", method="POST"), conditional_update])
def test_the_test_resource_is_gone_afterwards(check, wire, assessments, refuse) -> None:
    wire.refuse = refuse or wire.refuse
    assert outcome_of(check(write=True), "removing the test resource") == "works"
    assert assessments() == []


def test_a_test_resource_that_stays_is_named_and_cannot_be_taken_for_a_result(check, wire, assessments, ward) -> None:
    wire.refuse = lambda method, _path, _form: 405 if method == "DELETE" else None
    found = check(write=True)
    [left] = assessments()
    kept = next(finding for finding in found.findings if finding.outcome == "kept")
    assert kept.detail.startswith(f"RiskAssessment/{left['id']} is still there")
    assert left["status"] == "entered-in-error"
    assert left["meta"]["security"][0]["code"] == "HTEST"
    assert "reference" not in left["subject"]
    wire.refuse = lambda _method, _path, _form: None
    remove(ward, left["id"])


def test_a_server_that_ignores_the_identifier_is_not_written_to(check, wire, assessments, ward) -> None:
    theirs = {"resourceType": "RiskAssessment", "id": "theirs", "status": "final", "subject": {"display": "x"}}
    with FhirClient(FhirEndpoint(ward)) as client:
        client.batch([{"resource": theirs, "request": {"method": "PUT", "url": "RiskAssessment/theirs"}}])
    wire.drop = ("identifier",)
    assert outcome_of(check(write=True), "RiskAssessment by identifier") == "ignored"
    assert {method for method, path in wire.sent if not path.endswith("/_search")} == {"GET"}
    assert [each["status"] for each in assessments()] == ["final"]
    remove(ward, "theirs")


def test_a_connection_that_is_lost_after_the_write_names_the_test_resource(check, wire, assessments, ward) -> None:
    wire.refuse = lambda method, path, _form: (
        401 if (method, path) == ("GET", "RiskAssessment") and ("POST", "/fhir") in wire.sent else None
    )
    with pytest.raises(FhirRefused, match=r"RiskAssessment\?identifier=\S+ may still be there; remove it by hand"):
        check(write=True)
    [left] = assessments()
    remove(ward, left["id"])


def test_a_sign_in_that_does_not_suffice_ends_the_check(check, wire) -> None:
    wire.refuse = on("Encounter", status=403)
    with pytest.raises(FhirRefused, match="403"):
        check()


def test_the_plan_is_that_of_the_profile(check) -> None:
    plan = " ".join(check(chosen="oracle").plan)
    assert "Finds stays patient by patient and date, within a cohort" in plan
    assert "Observations of one patient by code of http://loinc.org in a search by GET, 4 at a time," in plan
    assert "200 per page" in plan
    assert "Searches 8480-6, 8462-4 as panel 85354-9" in plan
    assert "after a search for each, one run at a time, one by one" in plan
    assert "by class ACUTE and date" in " ".join(check().plan)
    assert "Writes RiskAssessments by conditional create, in batches of 100." in " ".join(check(chosen="hapi").plan)


def remove(ward: str, key: str) -> None:
    with FhirClient(FhirEndpoint(ward)) as client:
        client.batch([{"request": {"method": "DELETE", "url": f"RiskAssessment/{key}"}}])


def test_no_patient_is_named_in_what_was_found(check) -> None:
    found = check(patients=["p-a", "p-b"], write=True).model_dump_json()
    assert not any(name in found for name in ("p-a", "p-b", "e-a", "o-p"))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((200, "text/html", b"<html>"), "answered text/html, expected FHIR as JSON"),
        ((404, "text/plain", b""), "answered 404, but not with FHIR"),
        ((200, "application/fhir+json", b"{}"), "answered 200, but not with FHIR"),
        ((302, "text/plain", b""), "answered 302, expected FHIR; use the base URL that it redirects to"),
    ],
)
def test_what_is_no_fhir_server_ends_the_check(check, wire, answer: tuple[int, str, bytes], message: str) -> None:
    wire.instead = lambda _path: answer
    with pytest.raises(FhirError, match=message):
        check()


def test_a_sign_in_that_gets_no_token_ends_the_check(ward, schemas) -> None:
    sign_in = ClientSecret("me", "secret", f"{ward}/no-such-token-endpoint")
    with pytest.raises(FhirError, match=r"no-such-token-endpoint: answered \d+ without a token"):
        check_source(FhirEndpoint(ward, sign_in), load_server_profiles(schemas))


@pytest.mark.parametrize("nothing", [b'{"entry": null, "link": null, ', b'{"entry": [null], "link": ["next"], '])
def test_a_server_that_writes_null_where_it_has_nothing_is_checked(check, wire, nothing: bytes) -> None:
    statement = b'{"resourceType": "CapabilityStatement", "rest": [{"security": null, "resource": null}]}'
    bundle = nothing + b'"resourceType": "Bundle"}'
    wire.instead = lambda path: (200, "application/json", statement if path.endswith("/metadata") else bundle)
    assert outcome_of(check(write=True), "a conditional update alone") == "ignored"


def test_a_test_resource_whose_identifier_the_server_adds_to_is_found_and_removed(check, wire, assessments) -> None:
    wire.alter = lambda resource: resource["identifier"][0].update(use="official")
    found = check(write=True)
    assert outcome_of(found, "a conditional update in a batch") == "works"
    assert outcome_of(found, "removing the test resource") == "works"
    assert assessments() == []


def test_a_test_resource_that_was_taken_and_is_not_found_may_be_left(check, wire, assessments, ward) -> None:
    wire.alter = lambda resource: resource.pop("identifier")  # as good as a search that is behind its writes
    kept = next(finding for finding in check(write=True).findings if finding.outcome == "kept")
    assert "was accepted but is not found; look for it and remove it by hand" in kept.detail
    wire.alter = None
    for left in assessments():
        remove(ward, left["id"])


def test_a_server_that_takes_no_write_holds_no_test_resource(check, wire) -> None:
    wire.refuse = lambda method, path, _form: 403 if method != "GET" and "_search" not in path else None
    assert "kept" not in {finding.outcome for finding in check(write=True).findings}


def test_the_plan_says_how_the_stays_of_a_condition_of_its_own_are_found() -> None:
    source = FhirEndpoint("https://example.org/r4", icu_locations=("MICU",))
    ward = {"falls": Encounters(types=("ward",), locations=("Ward 4",))}
    assert plan(source, ward)[:2] == [
        "Finds stays by class ACUTE and by location MICU and date.",
        "Finds stays of falls by type ward and by location Ward 4 and date.",
    ]
    lacking = GENERIC.model_copy(update={"has_location_parts": False, "encounter_by": ("class", "type", "date")})
    assert plan(replace(source, profile=lacking), ward)[:3] == [
        "Reads all Encounters of the look-back and selects the stays with class ACUTE or location MICU.",
        "Reads all Encounters of the look-back and selects the stays of falls with type ward or location Ward 4.",
        "Does not find Encounters without a period, because they have no date and the server has no search by status.",
    ]
