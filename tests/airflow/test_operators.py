"""The FHIR operators: what they leave in files, XCom and logs, against the embedded server and one with set answers."""

import json
import logging
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
import requests
from tests.scripted_server import page, reply, server

from wardround.airflow.guard import TaskFault
from wardround.airflow.hook import FhirHook
from wardround.airflow.operators import (
    FhirBulkExportOperator,
    FhirSearchToNdjsonOperator,
    FhirUploadOperator,
    FhirValidateOperator,
)
from wardround.demo.fhir_server.running import running_server
from wardround.errors import FhirError, FhirUnreachable, SettingsError, SourceDataError

__all__ = ["page", "reply", "server"]

NAME, VALUE = "ZZTOPSECRET", "123.4560"
PATIENTS = [{"resourceType": "Patient", "id": name, "name": [{"family": NAME}]} for name in ("b", "a", "c")]


OBSERVATION = {
    "resourceType": "Observation",
    "id": "o",
    "status": "final",
    "code": {"text": "x"},
    "subject": {"reference": "Patient/a"},
    "valueQuantity": orjson.Fragment(f'{{"value":{VALUE}}}'.encode()),
}
DATA = (*PATIENTS, OBSERVATION)


def folder_of(place: Path, *resources) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    (place / "a.ndjson").write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in resources))
    return place


@pytest.fixture(scope="module")
def embedded():
    with running_server() as running:
        yield running


@pytest.fixture
def ward(embedded, monkeypatch, data):
    """The embedded server with DATA, which the connection fhir_default names."""
    monkeypatch.setenv("AIRFLOW_CONN_FHIR_DEFAULT", f"fhir://{embedded.base_url}")
    run(FhirUploadOperator, data=str(data))
    return embedded


@pytest.fixture
def data(tmp_path):
    return folder_of(tmp_path / "data", *DATA)


@pytest.fixture
def scripted(server, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_FHIR_DEFAULT", f"fhir://{server.url}")
    return server


def run(kind, **options):
    """What the operator gives to XCom. (Airflow's own safeguard wants `execute` to be called by a task runner only.)"""
    with FhirHook().get_conn() as client:
        return kind(task_id="one", **options).work(client)


def lines(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_a_search_becomes_a_sorted_file_and_its_result_counts(ward, tmp_path):
    path = str(tmp_path / "found" / "all.ndjson")

    result = run(
        FhirSearchToNdjsonOperator,
        resource_type="Observation",
        query={"_include": "Observation:subject", "status": ["final", "amended"]},
        path=path,
    )

    assert result == {"path": path, "resources": {"Observation": 1, "Patient": 1}}
    assert [(one["resourceType"], one["id"]) for one in lines(path)] == [("Observation", "o"), ("Patient", "a")]


def test_the_same_answers_give_the_same_bytes_whatever_their_order(scripted, page, tmp_path):
    found = []
    for number, order in enumerate((PATIENTS, PATIENTS[::-1])):
        scripted.replies(page(*order))
        path = tmp_path / f"{number}.ndjson"
        run(FhirSearchToNdjsonOperator, resource_type="Patient", query={}, path=str(path))
        found.append(path.read_bytes())

    assert found[0] == found[1]
    assert [json.loads(line)["id"] for line in found[0].splitlines()] == ["a", "b", "c"]


def test_a_resource_is_as_the_server_sent_it_but_on_one_line(scripted, reply, tmp_path):
    sent = '{"resourceType": "Observation",\n "id": "o", "valueQuantity": {"value": 1.50},\n "note": "é \\u00e9 \\n"}'
    body = f'{{"resourceType": "Bundle", "type": "searchset", "entry": [{{"resource": {sent}}}]}}'.encode()
    scripted.replies(reply(body, headers={"Content-Type": "application/fhir+json"}))
    path = tmp_path / "found.ndjson"

    run(FhirSearchToNdjsonOperator, resource_type="Observation", query={}, path=str(path))

    expected = '{"resourceType":"Observation","id":"o","valueQuantity":{"value":1.50},"note":"é \\u00e9 \\n"}\n'
    assert path.read_text(encoding="utf-8") == expected


@pytest.mark.parametrize("broken", [b"NaN", b'"\\ud800"', b'"\xff"'])
def test_what_json_does_not_allow_is_replaced_and_spoils_no_other_line(scripted, reply, tmp_path, broken):
    one = b'{"resourceType":"Patient","id":"a","x":%s}' % broken
    body = b'{"resourceType":"Bundle","entry":[{"resource":%s},{"resource":{"resourceType":"Patient","id":"b"}}]}' % one
    scripted.replies(reply(body, headers={"Content-Type": "application/fhir+json"}))
    path = tmp_path / "found.ndjson"

    run(FhirSearchToNdjsonOperator, resource_type="Patient", query={}, path=str(path))

    assert [one["id"] for one in lines(path)] == ["a", "b"]
    assert "\N{REPLACEMENT CHARACTER}" in lines(path)[0]["x"]


def test_of_two_versions_the_later_one_is_kept_and_resources_without_an_id_are_told_apart(scripted, page, tmp_path):
    versions = [
        {"resourceType": "Patient", "id": "a", "meta": {"lastUpdated": f"2026-01-0{day}T00:00:00Z"}} for day in (1, 2)
    ]
    nameless = [{"resourceType": "Patient", "gender": gender} for gender in ("male", "female")]
    scripted.replies(page(*versions, *nameless))
    path = tmp_path / "found.ndjson"

    result = run(FhirSearchToNdjsonOperator, resource_type="Patient", query={}, path=str(path))

    assert result["resources"] == {"Patient": 3}
    assert [one["meta"] for one in lines(path) if "meta" in one] == [versions[1]["meta"]]


def test_a_search_that_loses_a_page_leaves_the_file_of_before(scripted, page, reply, tmp_path):
    path = tmp_path / "found.ndjson"
    path.write_text("before\n")
    scripted.replies(page(PATIENTS[0], following=f"{scripted.url}/next"), reply(status=500))

    with pytest.raises(FhirError):
        run(FhirSearchToNdjsonOperator, resource_type="Patient", query={}, path=str(path))

    assert path.read_text() == "before\n"
    assert [one.name for one in tmp_path.iterdir()] == ["found.ndjson"]


@pytest.mark.parametrize("path", ["found.ndjson", "/found.ndjson", "/data/found.json", "/data/.ndjson", "/data/"])
def test_a_path_that_is_no_ndjson_file_in_a_folder_is_refused(scripted, path):
    with pytest.raises(SettingsError, match=r"whose name ends with \.ndjson"):
        run(FhirSearchToNdjsonOperator, resource_type="Patient", query={}, path=path)
    assert scripted.requests == []


def test_an_export_is_fetched_once_into_its_folder(ward, tmp_path):
    options = {"folder": str(tmp_path / "export"), "types": ["Patient", "Observation"]}

    first, asked = run(FhirBulkExportOperator, **options), ward.requests()
    again = run(FhirBulkExportOperator, **options)

    assert first == again
    assert ward.requests() == asked
    held = [one for name in first["files"] for one in lines(Path(first["folder"]) / name)]
    assert sorted(one["id"] for one in held) == ["a", "b", "c", "o"]


def test_an_export_can_be_of_what_changed_since_a_time(ward, tmp_path):
    options = {"types": ["Patient"], "since": "2999-01-01T00:00:00+00:00"}

    result = run(FhirBulkExportOperator, folder=str(tmp_path / "export"), **options)

    assert [one for name in result["files"] for one in lines(Path(result["folder"]) / name)] == []


def test_an_export_that_is_not_ready_by_its_deadline_is_continued_by_the_next_attempt(scripted, reply, tmp_path):
    location = {"Content-Location": f"{scripted.url}/status/1"}
    scripted.answer = lambda request: reply(status=202, headers=location if "$export" in request.path else {})
    options = {"folder": str(tmp_path / "export"), "types": ["Patient"], "deadline": timedelta(0)}

    for _ in range(2):
        with pytest.raises(FhirUnreachable, match="try again to continue waiting, or raise the deadline"):
            run(FhirBulkExportOperator, **options)

    assert [request.path.partition("?")[0] for request in scripted.requests] == [
        "/fhir/$export",
        "/fhir/status/1",
        "/fhir/status/1",
    ]


@pytest.mark.parametrize("since", ["yesterday", "2026-01-02T05:00:00"])
def test_a_since_without_an_offset_is_refused(ward, tmp_path, since):
    with pytest.raises(SettingsError, match="expected a time with its UTC offset"):
        run(FhirBulkExportOperator, folder=str(tmp_path), types=["Patient"], since=since)


def test_an_upload_counts_what_it_wrote_and_changes_nothing_the_second_time(ward, tmp_path):
    data = folder_of(tmp_path / "more", *PATIENTS, {"resourceType": "Slot", "id": "s"})

    results = [run(FhirUploadOperator, data=str(data)) for _ in range(2)]

    assert results == [{"written": {"Patient": 3}, "skipped": {"Slot": 1}}] * 2
    assert requests.get(f"{ward.base_url}/Patient/a", timeout=30).json()["meta"]["versionId"] == "1"


def test_valid_resources_leave_an_empty_report(ward, data, tmp_path):
    report = tmp_path / "reports" / "r.ndjson"

    result = run(FhirValidateOperator, data=str(data), report=str(report))

    assert result == {"resources": 4, "invalid": 0, "issues": {"information informational": 4}}
    assert report.read_bytes() == b""


def test_an_invalid_resource_fails_the_task_and_the_report_names_it(ward, tmp_path):
    wrong = {"resourceType": "Observation", "id": "wrong", "status": NAME, "code": {"text": NAME}}
    data, report = folder_of(tmp_path / "more", PATIENTS[0], wrong), tmp_path / "reports" / "r.ndjson"

    with pytest.raises(SourceDataError) as caught:
        run(FhirValidateOperator, data=str(data), report=str(report))

    assert f"{data}: 1 of 2 resources are invalid (1 times error code-invalid)" in str(caught.value)
    assert NAME not in str(caught.value)
    [row] = lines(report)
    assert (row["reference"], row["place"]) == ("Observation/wrong", f"{data}/a.ndjson, line 2")


def test_a_resource_is_validated_with_the_digits_that_it_has(scripted, reply, tmp_path):
    issue = {"severity": "information", "code": "informational"}
    scripted.replies(reply({"resourceType": "OperationOutcome", "issue": [issue]}))
    data = folder_of(tmp_path / "data", OBSERVATION)

    run(FhirValidateOperator, data=str(data), report=str(tmp_path / "r.ndjson"), profile="http://example.org/p")

    [request] = scripted.requests
    assert (request.method, request.path) == ("POST", "/fhir/Observation/$validate")
    assert f'"value":{VALUE}'.encode() in request.body
    assert json.loads(request.body)["parameter"][1] == {"name": "profile", "valueUri": "http://example.org/p"}


@pytest.mark.parametrize("status", [400, 412, 422])
def test_a_server_may_refuse_an_invalid_resource_instead_of_describing_it(scripted, reply, tmp_path, status):
    issue = {"severity": "error", "code": "invariant", "diagnostics": NAME}
    scripted.replies(reply({"resourceType": "OperationOutcome", "issue": [issue]}, status=status))
    data = folder_of(tmp_path / "data", PATIENTS[0])

    with pytest.raises(SourceDataError, match="1 times error invariant"):
        run(FhirValidateOperator, data=str(data), report=str(tmp_path / "r.ndjson"))


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (404, {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "not-found"}]}),
        (400, {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "not-supported"}]}),
        (400, {}),
        (200, {"resourceType": "Patient", "id": "a"}),
        (200, {"resourceType": "OperationOutcome"}),
    ],
)
def test_a_server_without_validate_is_an_error_and_leaves_no_report(scripted, reply, tmp_path, status, answer):
    scripted.replies(reply(answer, status=status))
    data, report = folder_of(tmp_path / "data", PATIENTS[0]), tmp_path / "r.ndjson"

    with pytest.raises(FhirError) as caught:
        run(FhirValidateOperator, data=str(data), report=str(report))

    assert not isinstance(caught.value, SourceDataError)
    assert not report.exists()


def test_a_profile_that_the_embedded_server_does_not_know_is_no_verdict(ward, data, tmp_path):
    with pytest.raises(FhirError, match="use a server that has"):
        run(FhirValidateOperator, data=str(data), report=str(tmp_path / "r.ndjson"), profile="http://example.org/p")


def test_a_damaged_line_is_named_and_leaves_no_report(ward, tmp_path):
    data = folder_of(tmp_path / "damaged", PATIENTS[0])
    with (data / "a.ndjson").open("a") as file:
        file.write('{"resourceType":"Patient","id":\n')
    report = tmp_path / "r.ndjson"

    with pytest.raises(SourceDataError, match=r"a\.ndjson, line 2: not valid JSON"):
        run(FhirValidateOperator, data=str(data), report=str(report))

    assert not report.exists()


def test_neither_results_nor_logs_hold_anything_of_a_patient(ward, data, tmp_path, caplog):
    caplog.set_level(logging.DEBUG, logger="wardround")

    results = [
        run(FhirUploadOperator, data=str(data)),
        run(FhirSearchToNdjsonOperator, resource_type="Patient", query={}, path=str(tmp_path / "found" / "a.ndjson")),
        run(FhirBulkExportOperator, folder=str(tmp_path / "export"), types=["Patient"]),
        run(FhirValidateOperator, data=str(data), report=str(tmp_path / "r.ndjson")),
    ]

    said = json.dumps(results) + caplog.text
    assert [mark for mark in (NAME, VALUE) if mark in said] == []


def test_an_error_that_is_not_ours_shows_only_its_type(scripted, tmp_path):
    operator = FhirSearchToNdjsonOperator(task_id="one", resource_type="Patient", query=[NAME], path="/data/a.ndjson")

    with pytest.raises(TaskFault) as caught:
        FhirSearchToNdjsonOperator.execute.__wrapped__(operator, {})

    assert "ValueError" in str(caught.value)
    assert NAME not in str(caught.value)
