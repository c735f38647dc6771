"""Uploading a folder: order, ids, repetition, and what goes wrong."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from requests.adapters import BaseAdapter

from wardround.cli.seed import command
from wardround.demo.fhir_server.running import RunningServer, running_server
from wardround.errors import FhirError, SourceDataError
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.workflows.seed import Seeded, seed

PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "female"}
HOSPITAL = {"resourceType": "Encounter", "id": "e1", "status": "finished", "class": {"code": "EMER"},
            "subject": {"reference": "Patient/p1"}}  # fmt: skip
STAY = HOSPITAL | {"id": "e2", "class": {"code": "ACUTE"}, "partOf": {"reference": "Encounter/e1"}}
VALUE = {"resourceType": "Observation", "id": "o1", "status": "final", "code": {"text": "x"},
         "subject": {"reference": "Patient/p1"}}  # fmt: skip
ORGANIZATION = {"resourceType": "Organization", "id": "h1"}

Answering = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server() as server:
        yield server


def write(folder: Path, *resources: dict[str, Any], name: str = "a.ndjson") -> Path:
    (folder / name).write_text("".join(json.dumps(resource) + "\n" for resource in resources))
    return folder


class Scripted(BaseAdapter):
    """A server that records the batches it gets and answers each entry as instructed."""

    def __init__(self, answering: Answering, capabilities: dict[str, Any]) -> None:
        super().__init__()
        self.batches: list[list[str]] = []
        self._answering, self._capabilities = answering, capabilities

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        body: dict[str, Any] = {"resourceType": "CapabilityStatement", **self._capabilities}
        if request.method == "POST":
            entries = json.loads(request.body or "{}")["entry"]
            self.batches.append([entry["request"]["url"] for entry in entries])
            body = {"resourceType": "Bundle", "entry": [{"response": self._answering(entry)} for entry in entries]}
        response = requests.Response()
        response.status_code = 200
        response.headers["Content-Type"] = "application/fhir+json"
        response._content = json.dumps(body).encode()
        response.url = str(request.url)
        return response

    def close(self) -> None:
        pass


def created(entry: dict[str, Any]) -> dict[str, Any]:
    return {"status": "201 Created", "location": f"{entry['request']['url']}/_history/1"}


def upload(folder: Path, answering: Answering = created, **capabilities: Any) -> tuple[Seeded, list[list[str]]]:
    server = Scripted(answering, capabilities)
    with FhirClient(FhirEndpoint("http://fhir.test/fhir", threads=1, entries_per_batch=2), server) as client:
        return seed(client, folder, lambda *_: None), server.batches


def test_referenced_resources_go_first_whatever_the_order_of_files_and_lines(tmp_path: Path) -> None:
    _, batches = upload(write(tmp_path, VALUE, STAY, HOSPITAL, PATIENT, ORGANIZATION))
    expected = ["Organization/h1", "Patient/p1", "Encounter/e1", "Encounter/e2", "Observation/o1"]
    assert batches == [[name] for name in expected]


def test_of_several_versions_of_one_id_only_the_one_that_counts_is_sent(tmp_path: Path) -> None:
    def version(hour: int, gender: str) -> dict[str, Any]:
        return {**PATIENT, "gender": gender, "meta": {"lastUpdated": f"2026-01-02T0{hour}:00:00Z"}}

    write(tmp_path, version(5, "male"), version(7, "female"), {**PATIENT, "id": "p2"}, name="a.ndjson")
    write(tmp_path, version(6, "other"), name="b.ndjson")
    sent: list[tuple[str, str]] = []

    def answer(entry: dict[str, Any]) -> dict[str, Any]:
        sent.append((entry["resource"]["id"], entry["resource"]["gender"]))
        return created(entry)

    seeded, _ = upload(tmp_path, answer)
    assert (sent, seeded.written) == ([("p1", "female"), ("p2", "female")], {"Patient": 2})


def test_resources_travel_in_batches(tmp_path: Path) -> None:
    _, batches = upload(write(tmp_path, *(PATIENT | {"id": f"p{n}"} for n in range(5))))
    assert [len(batch) for batch in batches] == [2, 2, 1]


def test_a_folder_is_stored_under_its_own_ids_and_seeding_again_changes_nothing(
    tmp_path: Path, server: RunningServer
) -> None:
    write(tmp_path, VALUE, STAY, HOSPITAL)
    (tmp_path / "b.ndjson.gz").write_bytes(gzip.compress(json.dumps(PATIENT).encode() + b"\n"))
    with FhirClient(FhirEndpoint(server.base_url)) as client:
        seeded = seed(client, tmp_path, lambda *_: None)
        assert seeded.written == {"Encounter": 2, "Observation": 1, "Patient": 1}
        assert seed(client, tmp_path, lambda *_: None) == seeded
        assert client.read("Encounter/e2")["partOf"] == {"reference": "Encounter/e1"}
        assert [found["id"] for found in client.search("Observation", {"patient": "Patient/p1"})] == ["o1"]


def test_a_bundle_with_uuids_is_stored_with_types_and_ids(tmp_path: Path) -> None:
    uuid = "urn:uuid:0c2243d2-987b-5cbd-8eb1-170a80647693"
    patient = {key: value for key, value in PATIENT.items() if key != "id"}
    value = VALUE | {"subject": {"reference": uuid}}
    bundle = {
        "resourceType": "Bundle",
        "entry": [{"fullUrl": "urn:uuid:1", "resource": value}, {"fullUrl": uuid, "resource": patient}],
    }
    (tmp_path / "bundle.json").write_text(json.dumps(bundle))
    sent: list[dict[str, Any]] = []
    upload(tmp_path, lambda entry: sent.append(entry["resource"]) or created(entry))
    assert [resource["id"] for resource in sent] == ["0c2243d2-987b-5cbd-8eb1-170a80647693", "o1"]
    assert sent[1]["subject"] == {"reference": "Patient/0c2243d2-987b-5cbd-8eb1-170a80647693"}


def test_types_that_the_server_does_not_store_are_counted_and_not_sent(tmp_path: Path) -> None:
    rest = [{"resource": [{"type": "Patient"}]}]
    seeded, batches = upload(write(tmp_path, PATIENT, ORGANIZATION), rest=rest)
    assert seeded == Seeded({"Patient": 1}, {"Organization": 1})
    assert batches == [["Patient/p1"]]


@pytest.mark.parametrize(
    "answer", [{"status": "405"}, {"status": "201 Created", "location": "Patient/server-made/_history/1"}]
)
def test_a_server_that_assigns_ids_is_an_error(tmp_path: Path, answer: dict[str, Any]) -> None:
    with pytest.raises(FhirError, match="assigns its own id to Patient/p1"):
        upload(write(tmp_path, PATIENT), lambda _entry: answer)


def test_a_server_that_says_that_it_assigns_ids_is_not_written_to(tmp_path: Path) -> None:
    rest = [{"resource": [{"type": "Patient", "updateCreate": False}]}]
    sent: list[Any] = []
    with pytest.raises(FhirError, match="assigns its own id to Patient"):
        upload(write(tmp_path, PATIENT), lambda entry: sent.append(entry) or created(entry), rest=rest)
    assert not sent


def test_an_entry_that_met_another_writer_is_sent_again(tmp_path: Path) -> None:
    answers = iter([{"status": "409 Conflict"}, {"status": "201 Created"}, {"status": "200 OK"}])
    _, batches = upload(write(tmp_path, PATIENT, PATIENT | {"id": "p2"}), lambda _entry: next(answers))
    assert batches == [["Patient/p1", "Patient/p2"], ["Patient/p1"]]


def test_a_refused_resource_is_named_with_its_status_and_without_its_values(tmp_path: Path) -> None:
    with pytest.raises(FhirError, match="Patient/p1 was refused with status 422") as caught:
        upload(write(tmp_path, PATIENT), lambda _entry: {"status": "422 Unprocessable"})
    assert "female" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.ndjson", '{"resourceType": "Patient"}\n', "line 1: Patient without a valid id"),
        ("a.ndjson", "{not json\n", "line 1: not a resource in JSON"),
        ("a.ndjson", '{"id": "p1"}\n', "line 1: resourceType is missing"),
        ("a.json", '{"id": "p1"}', "neither a resource, a Bundle"),
        ("a.ndjson.gz", "no gzip", "cannot be read"),
        ("a.txt", "", "no \\*.ndjson"),
    ],
)
def test_a_broken_file_is_named_before_anything_is_sent(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SourceDataError, match=message):
        upload(tmp_path)


def test_other_contents_of_the_folder_are_reported(tmp_path: Path, server: RunningServer) -> None:
    folder = write(write(tmp_path, PATIENT), {"eventId": "kickoff"}, name="log.ndjson")
    result = CliRunner().invoke(command, ["--source", server.base_url, "--data", str(folder), "--json"])
    assert json.loads(result.stdout) == {"written": {"Patient": 1}, "skipped": {}, "files_passed_over": 1}
    assert "log.ndjson" in result.stderr


def test_skipped_resources_do_not_look_like_written_ones(tmp_path: Path, server: RunningServer) -> None:
    folder = write(tmp_path, PATIENT, {"resourceType": "Basic", "id": "f1"})
    result = CliRunner().invoke(command, ["--source", server.base_url, "--data", str(folder)])
    assert "written: Patient" in result.stdout
    assert "skipped: Basic" in result.stdout


def test_the_command_counts_what_it_uploaded_as_json(tmp_path: Path, server: RunningServer) -> None:
    folder = write(tmp_path, PATIENT, {"resourceType": "Basic", "id": "f1"})
    result = CliRunner().invoke(command, ["--source", server.base_url, "--data", str(folder), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"written": {"Patient": 1}, "skipped": {"Basic": 1}}
