"""What changes on the server between reading and writing: nobody gets a score that is another's by now."""

from collections.abc import Callable
from typing import Any

import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.spec.servers import GENERIC
from wardround.workflows.retract import retract
from wardround.workflows.screen import Means, ScreeningRequest, check_quality, resume, screen
from wardround.workflows.screen.run import load_run

PLAIN = GENERIC
BY_PATIENT = GENERIC.model_copy(update={"encounter_needs_patient": True, "has_include": False})
ONE_BY_ONE = BY_PATIENT.model_copy(update={"has_batch": False, "references": "type_and_id"})


@pytest.fixture
def ward(icu, server: str) -> Any:
    for name in ("a", "b", "c"):
        icu.stay(name, lactate=1.5)
    members = [{"entity": {"reference": f"Patient/p-{name}"}} for name in ("a", "b", "c")]
    icu.resources.append({"resourceType": "Group", "id": "g", "type": "person", "actual": True, "member": members})
    icu.upload(server)
    return icu


@pytest.fixture
def rewrite(ward, server: str) -> Callable[..., None]:
    """rewrite("Encounter/e-a", …) changes elements of a resource on the server; without any it deletes it."""

    def change(reference: str, **changes: Any) -> None:
        resource = next(one for one in ward.resources if f"{one['resourceType']}/{one['id']}" == reference)
        request = {"method": "PUT" if changes else "DELETE", "url": reference}
        with FhirClient(FhirEndpoint(server)) as client:
            (answer,) = client.batch([{"request": request, "resource": {**resource, **changes}}])
        assert answer["response"]["status"].startswith("2")

    return change


@pytest.fixture
def while_screening(server: str, settings) -> Any:
    """while_screening(change) screens, and calls `change` after the reading; gives summary and ledger."""

    def run(change: Callable[[], None], profile=PLAIN, **asked: Any) -> tuple[dict[str, Any], Any]:
        def gate(run_id: str, mine: Any) -> None:
            change()
            check_quality(run_id, mine)

        content = {"condition": "sepsis", "source_url": server, "as_of": "2026-01-02T05:00:00Z", **asked}
        source = FhirEndpoint(server, profile=profile)
        request = ScreeningRequest.model_validate(content)
        summary = screen(request, Means(source, settings, lambda *_: None, gate=gate)).as_json()
        ledger = RunFolder.existing(settings.runs, summary["run"]).read_frame("ledger.parquet")
        return summary, ledger.set_index("stay_id")

    return run


CHANGES = [
    ("Encounter/e-a", {"subject": {"reference": "Patient/p-b"}}, "subject_changed"),
    ("Encounter/e-a", {"subject": {"reference": "https://elsewhere.org/fhir/Patient/p-a"}}, "subject_changed"),
    ("Encounter/e-a", {"subject": {"display": "nobody"}}, "subject_changed"),
    ("Encounter/e-a", {"status": "entered-in-error"}, "status_changed"),
    ("Encounter/e-a", {"status": "cancelled"}, "status_changed"),
    ("Encounter/e-a", {"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]}, "encounter_changed"),
    ("Encounter/e-a", {}, "encounter_gone"),
    ("Patient/p-a", {"active": False}, "inactive_patient"),
    ("Patient/p-a", {"link": [{"other": {"reference": "Patient/p-b"}, "type": "replaced-by"}]}, "merged_patient"),
    ("Patient/p-a", {"deceasedDateTime": "2026-01-02T03:00:00Z"}, "deceased"),
]


@pytest.mark.parametrize(("reference", "changes", "reason"), CHANGES)
def test_a_stay_that_changed_meanwhile_is_not_written_and_the_others_are(
    while_screening, rewrite, held, reference: str, changes: dict, reason: str
) -> None:
    summary, ledger = while_screening(lambda: rewrite(reference, **changes), chunk_size=3)
    assert ledger["outcome"].to_dict() == {"e-a": "failed", "e-b": "scored", "e-c": "scored"}
    assert ledger["reason"].to_dict() == {"e-a": reason, "e-b": "", "e-c": ""}
    written = {(risk["encounter"]["reference"], risk["subject"]["reference"]) for risk in held("RiskAssessment")}
    assert written == {("Encounter/e-b", "Patient/p-b"), ("Encounter/e-c", "Patient/p-c")}
    assert (summary["written"], summary["failed"], summary["problems"]) == (2, 1, {})


@pytest.mark.parametrize(
    "changes", [{"status": "finished", "period": {"start": "2026-01-01T01:00:00Z", "end": "2026-01-02T05:30:00Z"}}]
)
def test_a_stay_that_ended_meanwhile_was_one_at_the_prediction_time(while_screening, rewrite, changes: dict) -> None:
    summary, _ = while_screening(lambda: rewrite("Encounter/e-a", **changes))
    assert (summary["scored"], summary["written"]) == (3, 3)


@pytest.mark.parametrize("profile", [BY_PATIENT, ONE_BY_ONE], ids=["by patient", "one by one"])
@pytest.mark.parametrize(("reference", "changes", "reason"), [*CHANGES[:2], CHANGES[6], CHANGES[8]])
def test_it_is_seen_where_encounters_are_found_by_patient_only(
    while_screening, rewrite, held, profile, reference: str, changes: dict, reason: str
) -> None:
    _, ledger = while_screening(lambda: rewrite(reference, **changes), profile, cohort="group:g")
    assert ledger["reason"].to_dict() == {"e-a": reason, "e-b": "", "e-c": ""}
    assert len(held("RiskAssessment")) == 2


def test_a_chunk_is_looked_at_again_in_one_request(ward, screened, transport) -> None:
    screened(chunk_size=3)
    looks = [body for path, body in transport.sent if path.endswith("/Encounter/_search") and "_id=" in body]
    assert len(looks) == 1


def test_a_shadow_run_looks_at_nothing_again(ward, screened, transport) -> None:
    screened(mode="shadow")
    assert not [body for path, body in transport.sent if path.endswith("/Encounter/_search") and "_id=" in body]


def test_a_run_that_is_resumed_looks_again_and_says_what_it_wrote_before(
    ward, rewrite, screened, server: str, settings, held
) -> None:
    run = screened()["run"]
    rewrite("Encounter/e-a", subject={"reference": "Patient/p-b"})
    summary = resume(run, Means(FhirEndpoint(server), settings, lambda *_: None)).as_json()
    ledger = RunFolder.existing(settings.runs, run).read_frame("ledger.parquet").set_index("stay_id")
    assert ledger.loc["e-a", ["outcome", "reason", "written"]].tolist() == ["failed", "subject_changed", True]
    assert (summary["written"], summary["failed"]) == (3, 1)
    with FhirClient(FhirEndpoint(server)) as client:
        at = load_run(run, settings).request.as_of
        assert retract(run, client, settings, "moved", at).as_json()["retracted"] == 3
    assert {risk["status"] for risk in held("RiskAssessment")} == {"entered-in-error"}
