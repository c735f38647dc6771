"""The operators for DAGs of anybody, with a server that others wrote."""

import json

import pytest

from wardround.airflow.operators import (
    FhirBulkExportOperator,
    FhirSearchToNdjsonOperator,
    FhirUploadOperator,
    FhirValidateOperator,
)
from wardround.errors import SourceDataError
from wardround.fhir.client import FhirClient, FhirEndpoint

pytestmark = pytest.mark.slow

PATIENTS = [{"resourceType": "Patient", "id": f"p{number}", "gender": "female"} for number in range(7)]


def folder_of(place, *resources):
    place.mkdir()
    (place / "data.ndjson").write_text("".join(f"{json.dumps(one)}\n" for one in resources))
    return str(place)


@pytest.fixture
def run(sekmet_server):
    """What an operator gives to XCom."""

    def work(kind, **options):
        with FhirClient(FhirEndpoint(sekmet_server, page_size=3)) as client:
            return kind(task_id="one", **options).work(client)

    return work


def test_what_was_uploaded_is_searched_exported_and_valid(run, tmp_path):
    data, found = folder_of(tmp_path / "data", *PATIENTS), tmp_path / "found" / "patients.ndjson"

    assert run(FhirUploadOperator, data=data) == {"written": {"Patient": 7}, "skipped": {}}
    assert run(FhirSearchToNdjsonOperator, resource_type="Patient", query={}, path=str(found)) == {
        "path": str(found),
        "resources": {"Patient": 7},
    }
    assert [json.loads(line)["id"] for line in found.read_text().splitlines()] == [one["id"] for one in PATIENTS]
    exported = run(FhirBulkExportOperator, folder=str(tmp_path / "export"), types=["Patient"])
    validated = run(FhirValidateOperator, data=exported["folder"], report=str(tmp_path / "report.ndjson"))
    assert (validated["resources"], validated["invalid"]) == (7, 0)


def test_a_resource_that_the_server_finds_invalid_is_named_in_the_report(run, tmp_path):
    wrong = {"resourceType": "Observation", "id": "wrong", "status": "final"}
    report = tmp_path / "report.ndjson"

    with pytest.raises(SourceDataError, match="1 of 2 resources are invalid"):
        run(FhirValidateOperator, data=folder_of(tmp_path / "data", PATIENTS[0], wrong), report=str(report))

    rows = [json.loads(line) for line in report.read_text().splitlines()]
    assert "Observation/wrong" in {row["reference"] for row in rows}
