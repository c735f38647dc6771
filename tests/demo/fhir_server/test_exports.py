"""Tests that the files of a Bulk Data export contain what was requested."""

import json
from collections import Counter
from typing import Any

import pytest
import requests

from wardround.demo.fhir_server.faults import Fault, FaultPlan


@pytest.fixture(scope="module")
def filled(shared_server: Any) -> Any:
    for place in range(3):
        patient = {"reference": f"Patient/x{place}"}
        shared_server.put({"resourceType": "Patient", "id": f"x{place}"})
        shared_server.put(
            {
                "resourceType": "Encounter",
                "id": f"x{place}",
                "status": "finished",
                "class": {"code": "ACUTE"},
                "subject": patient,
            }
        )
    shared_server.put({"resourceType": "Location", "id": "x", "name": "ICU"})
    members = [{"entity": {"reference": f"Patient/x{place}"}} for place in (0, 2)]
    shared_server.put({"resourceType": "Group", "id": "x", "type": "person", "actual": True, "member": members})
    return shared_server


def manifest(fhir: Any, path: str) -> tuple[str, Any]:
    started = fhir.send("GET", path, Prefer="respond-async")
    assert (started.status_code, started.content) == (202, b""), started.text
    url = started.headers["Content-Location"]
    while (answer := fhir.session.get(url, timeout=30)).status_code == 202:
        assert answer.headers["X-Progress"]
    assert answer.status_code == 200, answer.text
    return url, answer.json()


def exported(fhir: Any, path: str) -> Counter[str]:
    """Type/id of everything in an export's files."""
    found: Counter[str] = Counter()
    for file in manifest(fhir, path)[1]["output"]:
        answer = fhir.session.get(file["url"], timeout=30)
        assert answer.headers["Content-Type"] == "application/fhir+ndjson"
        resources = [json.loads(line) for line in answer.text.splitlines()]
        assert len(resources) == file["count"]
        assert {resource["resourceType"] for resource in resources} == {file["type"]}
        found.update(f"{resource['resourceType']}/{resource['id']}" for resource in resources)
    return found


def test_a_system_export_contains_everything_once(filled: Any) -> None:
    found = exported(filled, "$export")
    wanted = {"Patient/x0", "Patient/x1", "Patient/x2", "Encounter/x1", "Location/x", "Group/x"}
    assert wanted <= found.keys()
    assert set(found.values()) == {1}


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("$export?_type=Location", ["Location/x"]),
        ("Patient/$export?_type=Encounter,Location", ["Encounter/x0", "Encounter/x1", "Encounter/x2"]),
        ("Group/x/$export", ["Encounter/x0", "Encounter/x2", "Patient/x0", "Patient/x2"]),
        ("Group/x/$export?_type=Patient", ["Patient/x0", "Patient/x2"]),
        ("$export?_since=2999-01-01T00:00:00Z", []),
    ],
)
def test_an_export_contains_what_was_requested(filled: Any, path: str, ids: list[str]) -> None:
    assert sorted(exported(filled, path)) == ids


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("$export?_type=Nonsense", 400),
        ("$export?_since=yesterday", 400),
        ("$export?_outputFormat=csv", 400),
        ("Group/none/$export", 404),
        ("Location/$export", 405),
        ("$export-status/none", 404),
    ],
)
def test_an_impossible_export_is_refused(filled: Any, path: str, status: int) -> None:
    assert filled.send("GET", path, Prefer="respond-async").status_code == status


def test_an_export_is_never_answered_at_once(filled: Any) -> None:
    assert filled.send("GET", "$export").status_code == 400


def test_a_deleted_export_is_gone_with_its_files(filled: Any) -> None:
    url, answered = manifest(filled, "$export?_type=Patient")
    assert filled.session.delete(url, timeout=30).status_code == 202
    assert filled.session.get(url, timeout=30).status_code == 404
    assert filled.session.get(answered["output"][0]["url"], timeout=30).status_code == 404


def test_faults_apply_to_exports(filled: Any, fhir: Any) -> None:
    url, answered = manifest(filled, "$export?_type=Patient")
    never = Fault(kind="status", status=202, path="$export-status")
    filled.server.misbehave(FaultPlan(faults=(never, Fault(kind="truncate", path="$export-files"))))
    assert filled.session.get(url, timeout=30).status_code == 202
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        filled.session.get(answered["output"][0]["url"], timeout=30)
