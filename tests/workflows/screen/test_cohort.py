"""Whose stays a run screens, by each kind of cohort, against a real server; and its account of everybody named."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.errors import FhirError, SourceDataError
from wardround.fhir.endpoint import FhirEndpoint
from wardround.workflows.screen import Means, resume

PATIENTS = [f"Patient/p-s{place}" for place in range(4)]


def group(**changes: Any) -> dict[str, Any]:
    members = [{"entity": {"reference": patient}} for patient in PATIENTS[:3]]
    return {"resourceType": "Group", "id": "g", "type": "person", "actual": True, "member": members, **changes}


@pytest.fixture
def ward(icu, server) -> Any:
    """Six ICU stays; p-idle is a patient without one, p-old had one long ago."""
    for place in range(6):
        icu.stay(f"s{place}", lactate=1.0 + place)
    icu.stay("old", status="finished", period={"start": "2025-01-01T01:00:00Z", "end": "2025-01-03T01:00:00Z"})
    icu.stay("visit", patient="idle", **{"class": {"code": "AMB"}})
    icu.upload(server)
    return icu


def screened_patients(summary: dict[str, Any], settings: Any) -> set[str]:
    ledger = RunFolder.existing(settings.runs, summary["run"]).read_frame("ledger.parquet")
    return set(ledger.loc[ledger["written"], "patient_id"])


def left_out(summary: dict[str, Any], settings: Any) -> set[tuple[str, str]]:
    frame = RunFolder.existing(settings.runs, summary["run"]).read_frame("cohort.parquet")
    return set(frame.itertuples(index=False, name=None))


def put(icu, server, resource: dict[str, Any]) -> None:
    icu.resources = [resource]
    icu.upload(server)


def test_a_search_screens_the_ward_and_names_nobody(ward, screened) -> None:
    summary = screened(cohort="search")
    assert (summary["found"], summary["cohort"], summary["cohort_patients"]) == (6, "search", None)
    assert (summary["cohort_without_stay"], summary["cohort_set_aside"]) == (0, {})


def test_a_group_screens_its_members_and_no_one_else(ward, server, screened, settings) -> None:
    put(ward, server, group())
    summary = screened(cohort="group:g")
    assert screened_patients(summary, settings) == {"p-s0", "p-s1", "p-s2"}
    assert (summary["cohort"], summary["cohort_patients"], summary["cohort_without_stay"]) == ("group", 3, 0)


def test_a_server_that_answers_with_everybody_screens_the_named_alone(
    ward, server, screened, settings, transport
) -> None:
    put(ward, server, group())
    # A server that passes over the patients of a search, and some do, finds the whole ward.
    transport.rewrite = lambda body: re.sub(r"patient=[^&]*&", "", body) if "_include" in body else body
    summary = screened(cohort="group:g")
    assert screened_patients(summary, settings) == {"p-s0", "p-s1", "p-s2"}
    assert (summary["found"], summary["cohort_patients"]) == (3, 3)


def test_everybody_named_is_accounted_for(ward, server, screened, settings) -> None:
    references = ["Patient/p-s0", "Patient/p-idle", "Patient/p-old", "Patient/gone", "Device/pump", "Patient/p-s0"]
    members: list[dict[str, Any]] = [{"entity": {"reference": reference}} for reference in references]
    members.append({"entity": {"reference": "Patient/p-s1"}, "inactive": True})
    put(ward, server, group(member=members))
    summary = screened(cohort="group:g")
    assert screened_patients(summary, settings) == {"p-s0"}
    assert summary["cohort_patients"] == 4
    assert summary["cohort_without_stay"] == 2
    assert summary["cohort_set_aside"] == {"inactive_member": 1, "not_a_patient": 1, "unknown_patient": 1}
    assert left_out(summary, settings) == {
        ("p-idle", "cohort_without_stay"),
        ("p-old", "cohort_without_stay"),
        ("gone", "unknown_patient"),
        ("", "not_a_patient"),
        ("p-s1", "inactive_member"),
    }


def test_a_member_that_is_nothing_is_accounted_for(ward, server, screened, transport) -> None:
    put(ward, server, group())
    listed = transport.send

    def with_nothing(request: Any, *args: Any, **kwargs: Any) -> Any:
        response = listed(request, *args, **kwargs)
        if request.path_url.endswith("/Group/g"):
            body = json.loads(response.content)
            response._content = json.dumps({**body, "member": [*body["member"], None]}).encode()
        return response

    transport.send = with_nothing
    summary = screened(cohort="group:g")
    assert (summary["cohort_patients"], summary["cohort_set_aside"]) == (3, {"not_a_patient": 1})


def test_the_report_says_whom_the_cohort_names(ward, server, screened) -> None:
    references = ["Patient/p-s0", "Patient/p-idle", "Patient/gone"]
    put(ward, server, group(member=[{"entity": {"reference": reference}} for reference in references]))
    page = Path(screened(cohort="group:g")["report"]).read_text()
    assert "The cohort (group) names 3 patients. 1 of them had no ICU stay in the look-back." in page
    assert "1 set aside: unknown to the server, or deleted." in page


def test_a_group_that_counts_more_than_it_lists_is_asked_for_page_by_page(
    ward, server, screened, settings, transport, held
) -> None:
    put(ward, server, group())
    whole = transport.rewrite
    assert whole is None
    # A server with large Groups: it leaves the members out of the resource, and still finds them.
    listed = transport.send

    def without_members(request: Any, *args: Any, **kwargs: Any) -> Any:
        response = listed(request, *args, **kwargs)
        if request.path_url.endswith("/Group/g"):
            body = {**json.loads(response.content), "quantity": 3}
            body.pop("member")
            response._content = json.dumps(body).encode()
        return response

    transport.send = without_members
    assert screened_patients(screened(cohort="group:g"), settings) == {"p-s0", "p-s1", "p-s2"}


def test_a_group_whose_members_are_not_all_found_is_an_error(ward, server, screened) -> None:
    put(ward, server, group(quantity=5))
    with pytest.raises(FhirError, match="states 5 members, lists 3 and returns 3 in a search"):
        screened(cohort="group:g")


@pytest.mark.parametrize(
    ("cohort", "message"), [("group:none", "Group/none: answered 404"), ("list:none", "List/none: answered 404")]
)
def test_an_unknown_cohort_is_an_error_and_no_empty_ward(ward, screened, cohort: str, message: str) -> None:
    with pytest.raises(FhirError, match=message):
        screened(cohort=cohort)


def test_a_list_screens_its_entries(ward, server, screened, settings) -> None:
    entries: list[dict[str, Any]] = [{"item": {"reference": patient}} for patient in PATIENTS[:2]]
    entries.append({"item": {"reference": "Patient/p-s3"}, "deleted": True})
    listed = {"resourceType": "List", "id": "l", "status": "current", "mode": "working", "entry": entries}
    put(ward, server, listed)
    summary = screened(cohort="list:l")
    assert screened_patients(summary, settings) == {"p-s0", "p-s1"}
    assert summary["cohort_set_aside"] == {"inactive_member": 1}


def test_a_list_entered_in_error_is_refused(ward, server, screened) -> None:
    put(ward, server, {"resourceType": "List", "id": "bad", "status": "entered-in-error", "mode": "working"})
    with pytest.raises(FhirError, match="entered in error"):
        screened(cohort="list:bad")


def test_a_file_screens_the_patients_that_it_names(ward, screened, settings, tmp_path: Path) -> None:
    ids = tmp_path / "ids.csv"
    ids.write_text("patient_id\np-s4\nPatient/p-s5\np-s4\nnot an id!\n")
    summary = screened(cohort=f"file:{ids}")
    assert screened_patients(summary, settings) == {"p-s4", "p-s5"}
    assert (summary["cohort_patients"], summary["cohort_set_aside"]) == (2, {"not_an_id": 1})


def test_a_file_without_an_id_is_an_error(server, screened, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("not an id!\n")
    with pytest.raises(SourceDataError, match="contains no Patient id"):
        screened(cohort=f"file:{tmp_path / 'ids.txt'}")


def test_a_file_of_10_000_ids_is_asked_for_in_batches(ward, screened, settings, tmp_path: Path, transport) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("\n".join([*(f"nobody-{place}" for place in range(9_999)), "p-s0"]))
    summary = screened(cohort=f"file:{ids}")
    assert screened_patients(summary, settings) == {"p-s0"}
    assert (summary["cohort_patients"], summary["cohort_set_aside"]) == (10_000, {"unknown_patient": 9_999})
    # Of each hundred, those of the span and those that may be going on without a period; and one before the writing.
    assert sum("Encounter/_search" in path for path, _ in transport.sent) == 201


def test_no_id_of_a_file_is_in_the_request_that_is_stored(ward, screened, settings, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("p-s0\n")
    summary = screened(cohort=f"file:{tmp_path / 'ids.txt'}")
    folder = RunFolder.existing(settings.runs, summary["run"])
    assert "p-s0" not in folder.read_text("request.json") + folder.read_text("cohort.json")


def test_the_patients_of_a_request_are_screened_and_each_is_accounted_for(ward, screened, settings) -> None:
    summary = screened(cohort="patients:p-s4,p-idle,p-s4,gone,p-s0")
    assert screened_patients(summary, settings) == {"p-s0", "p-s4"}
    assert (summary["cohort"], summary["cohort_patients"], summary["cohort_without_stay"]) == ("patients", 4, 1)
    assert summary["cohort_set_aside"] == {"named_again": 1, "unknown_patient": 1}
    assert left_out(summary, settings) == {
        ("p-idle", "cohort_without_stay"),
        ("gone", "unknown_patient"),
        ("", "named_again"),
    }
    assert "1 set aside: named more than once." in Path(summary["report"]).read_text()


def test_patients_of_a_request_are_asked_for_in_batches(ward, screened, settings, transport) -> None:
    summary = screened(cohort=f"patients:{','.join(f'nobody-{place}' for place in range(150))},p-s0")
    assert screened_patients(summary, settings) == {"p-s0"}
    assert (summary["cohort_patients"], summary["cohort_set_aside"]) == (151, {"unknown_patient": 150})
    # Of each hundred, those of the span and those that may be going on without a period; and one before the writing.
    assert sum("Encounter/_search" in path for path, _ in transport.sent) == 5


def test_whom_a_request_asks_for_is_in_no_stored_request_and_in_no_log(ward, screened, settings, caplog) -> None:
    with caplog.at_level("INFO"):
        summary = screened(cohort="patients:p-s4,gone")
    folder = RunFolder.existing(settings.runs, summary["run"])
    stored = [folder.read_text(name) for name in ("request.json", "cohort.json", "census.json", "summary.json")]
    assert not any(patient in text for patient in ("p-s4", "gone") for text in (*stored, caplog.text))


def test_a_run_of_asked_for_patients_is_resumed_for_the_same(ward, server, screened, settings) -> None:
    run = screened(cohort="patients:p-s4,p-s0")["run"]
    RunFolder.existing(settings.runs, run).remove("chunks.json")
    summary = resume(run, Means(FhirEndpoint(server), settings, lambda *_: None)).as_json()
    assert (summary["found"], summary["cohort_patients"]) == (2, 2)


def test_locations_screen_who_lies_there_whatever_the_class(icu, server, screened, settings) -> None:
    there = [{"location": {"reference": "Location/micu"}}]
    icu.resources.append({"resourceType": "Location", "id": "micu", "name": "Medical ICU"})
    icu.stay("inside", location=there, **{"class": {"code": "IMP"}})
    icu.stay("outside")
    icu.upload(server)
    assert screened_patients(screened(cohort="locations:Medical ICU"), settings) == {"p-inside"}


def test_locations_that_nobody_names_are_an_error(server, screened) -> None:
    with pytest.raises(FhirError, match="the cohort is defined by Locations but names none"):
        screened(cohort="locations")
