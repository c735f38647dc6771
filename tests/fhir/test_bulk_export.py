"""Tests how an export is started, awaited, downloaded and abandoned, against a server with set answers."""

import json
import tracemalloc
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.errors import FhirError, FhirUnreachable
from wardround.fhir import bulk_export
from wardround.fhir.bulk_export import ExportOrder, export
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.patience import Patience
from wardround.fhir.sign_in import BearerToken

ORDER = ExportOrder(("Patient",), None, None, timedelta(minutes=10))
LINES = b'{"resourceType":"Patient","id":"a"}\n{"resourceType":"Patient","id":"b"}\n'
KICK_OFF, STATUS, FILE = "/fhir/$export", "/fhir/status/1", "/fhir/files/1"


class Exporting:
    """The server's answers by path; the answers of a list are given in turn, the last one repeatedly."""

    def __init__(self, server: Any, reply: Any) -> None:
        self.server, self.reply = server, reply
        self.answers: dict[str, Any] = {
            f"GET {KICK_OFF}": reply(status=202, headers={"Content-Location": f"{server.url}/status/1"}),
            f"GET {STATUS}": self.manifest(),
            f"GET {FILE}": reply(LINES, headers={"Content-Type": "application/fhir+ndjson"}),
            f"DELETE {STATUS}": reply(status=202),
        }
        server.answer = self.answer

    def manifest(self, **changes: Any) -> Any:
        output = [{"type": "Patient", "url": f"{self.server.url}/files/1", "count": 2}]
        body = {"transactionTime": "2026-01-02T05:00:00Z", "requiresAccessToken": True, "output": output, "error": []}
        return self.reply({**body, **changes})

    def answer(self, request: Any) -> Any:
        found = self.answers[f"{request.method} {request.path.partition('?')[0]}"]
        if isinstance(found, list):
            return found.pop(0) if len(found) > 1 else found[0]
        return found

    def asked(self, path: str) -> list[Any]:
        return [request for request in self.server.requests if request.path.partition("?")[0] == path]


class Time:
    """A clock that waiting moves."""

    def __init__(self) -> None:
        self.now, self.waits = 0.0, list[float]()

    def pause(self, seconds: float) -> None:
        self.now += seconds
        self.waits.append(seconds)


@pytest.fixture
def exporting(server: Any, reply: Any) -> Exporting:
    return Exporting(server, reply)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(str(tmp_path / "run"))


@pytest.fixture
def export_it(exporting: Exporting, folder: RunFolder, time: Time) -> Any:
    """export_it(order) exports into the folder."""

    def run(order: ExportOrder = ORDER, **source: Any) -> None:
        asked = FhirEndpoint(exporting.server.url, sign_in=BearerToken("secret"), **source)
        with FhirClient(asked, patience=Patience(pause=time.pause)) as client:
            export(client, order, folder, lambda *_: None, clock=lambda: time.now)

    return run


@pytest.fixture
def exported(export_it: Any, folder: RunFolder) -> Any:
    """exported(order) exports into the folder and gives the lines of all files."""

    def run(order: ExportOrder = ORDER, **source: Any) -> list[Any]:
        export_it(order, **source)
        return [json.loads(line) for name in folder.list("export") for line in folder.read_text(name).splitlines()]

    return run


def waiting(reply: Any, **headers: str) -> Any:
    return reply(status=202, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_an_export_is_begun_waited_for_downloaded_and_deleted(exporting, exported, reply, time) -> None:
    exporting.answers[f"GET {STATUS}"] = [
        waiting(reply, X_Progress="40 %", Retry_After="7"),
        waiting(reply, X_Progress="nearly"),
        exporting.manifest(),
    ]
    assert [patient["id"] for patient in exported()] == ["a", "b"]
    (begun,) = exporting.asked(KICK_OFF)
    assert begun.headers["Prefer"] == "respond-async"
    assert "_type=Patient" in begun.path
    assert time.waits == [7.0, 0.5]
    assert [request.method for request in exporting.asked(STATUS)] == ["GET", "GET", "GET", "DELETE"]


def test_files_of_deleted_resources_are_kept_beside_the_others(exporting, export_it, folder, reply) -> None:
    gone = b'{"resourceType":"Bundle","entry":[{"request":{"method":"DELETE","url":"Patient/c"}}]}\n'
    exporting.answers["GET /fhir/files/2"] = reply(gone, headers={"Content-Type": "application/fhir+ndjson"})
    deleted = [{"type": "Bundle", "url": f"{exporting.server.url}/files/2", "count": 1}]
    exporting.answers[f"GET {STATUS}"] = exporting.manifest(deleted=deleted)
    export_it()
    assert folder.list("export") == ["export/00000-Patient.ndjson", "export/deleted-00000-Bundle.ndjson"]
    assert folder.read_bytes("export/deleted-00000-Bundle.ndjson") == gone


def test_a_status_of_429_is_asked_again_after_the_time_it_names(exporting, exported, reply, time) -> None:
    exporting.answers[f"GET {STATUS}"] = [reply(status=429, headers={"Retry-After": "9"}), exporting.manifest()]
    assert len(exported()) == 2
    assert time.waits == [9.0]


def test_an_export_that_never_ends_names_its_deadline_and_may_go_on(exporting, exported, reply, time) -> None:
    exporting.answers[f"GET {STATUS}"] = waiting(reply, Retry_After="60")
    with pytest.raises(FhirUnreachable, match="was not ready within its deadline of 10m"):
        exported()
    assert time.now == 600.0
    exporting.answers[f"GET {STATUS}"] = exporting.manifest()
    assert len(exported()) == 2
    assert len(exporting.asked(KICK_OFF)) == 1


def test_an_export_that_failed_says_so_and_the_next_attempt_begins_another(exporting, exported, reply) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
    exporting.answers[f"GET {STATUS}"] = [reply(outcome, 500), exporting.manifest()]
    with pytest.raises(FhirError, match=r"answered 500 \(exception\)"):
        exported()
    assert len(exported()) == 2
    assert len(exporting.asked(KICK_OFF)) == 2


def test_an_export_that_the_server_forgot_is_begun_again(exporting, exported, reply) -> None:
    exporting.answers[f"GET {STATUS}"] = waiting(reply, Retry_After="600")
    with pytest.raises(FhirUnreachable):
        exported()
    exporting.answers[f"GET {STATUS}"] = [reply({}, 404), exporting.manifest()]
    assert len(exported()) == 2
    assert len(exporting.asked(KICK_OFF)) == 2


def test_a_different_order_starts_a_different_export(exporting, exported, reply) -> None:
    exporting.answers[f"GET {STATUS}"] = waiting(reply, Retry_After="600")
    with pytest.raises(FhirUnreachable):
        exported()
    exporting.answers[f"GET {STATUS}"] = exporting.manifest()
    exported(replace(ORDER, types=("Patient", "Encounter")))
    assert len(exporting.asked(KICK_OFF)) == 2


def test_only_missing_files_are_downloaded_after_a_failure(exporting, exported, reply, server) -> None:
    files = [{"type": "Patient", "url": f"{server.url}/files/{number}", "count": 2} for number in (1, 2)]
    exporting.answers[f"GET {STATUS}"] = exporting.manifest(output=files)
    exporting.answers["GET /fhir/files/2"] = reply(status=503)
    with pytest.raises(FhirUnreachable):
        exported(threads=1)
    exporting.answers["GET /fhir/files/2"] = reply(LINES)
    assert len(exported(threads=1)) == 4
    assert (len(exporting.asked(KICK_OFF)), len(exporting.asked(FILE))) == (1, 1)


def test_a_file_that_broke_off_is_downloaded_from_its_beginning(exporting, exported, reply) -> None:
    exporting.answers[f"GET {FILE}"] = [reply(LINES[:50], cut=True), reply(LINES)]
    assert [patient["id"] for patient in exported()] == ["a", "b"]


def test_a_file_with_fewer_resources_than_its_manifest_says_is_an_error(exporting, exported, reply) -> None:
    exporting.answers[f"GET {FILE}"] = reply(LINES.splitlines()[0])
    with pytest.raises(FhirError, match="contains 1 resources, expected 2 according"):
        exported()


def test_errors_in_the_manifest_stop_the_run_and_warnings_do_not(exporting, exported, reply, server) -> None:
    errors = [{"type": "OperationOutcome", "url": f"{server.url}/files/errors"}]
    exporting.answers[f"GET {STATUS}"] = exporting.manifest(error=errors)
    line = b'{"resourceType":"OperationOutcome","issue":[{"severity":"%s","code":"processing","diagnostics":"Secret"}]}'
    exporting.answers["GET /fhir/files/errors"] = reply(line % b"error")
    with pytest.raises(FhirError, match=r"left resources out \(1 times processing\)") as caught:
        exported()
    assert "Secret" not in str(caught.value)
    exporting.answers["GET /fhir/files/errors"] = reply(line % b"warning")
    assert len(exported()) == 2


@pytest.mark.parametrize("signed", [True, False])
def test_files_get_the_token_where_the_manifest_says_so(exporting, exported, signed: bool) -> None:
    exporting.answers[f"GET {STATUS}"] = exporting.manifest(requiresAccessToken=signed)
    exported()
    (download,) = exporting.asked(FILE)
    assert download.headers.get("Authorization") == ("Bearer secret" if signed else None)


def test_a_storage_of_another_origin_never_gets_the_token(exporting, exported, reply, server) -> None:
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    files = [{"type": "Patient", "url": f"{elsewhere}/files/1?signature=x"}]
    exporting.answers[f"GET {STATUS}"] = exporting.manifest(output=files, requiresAccessToken=False)
    assert len(exported()) == 2
    (download,) = exporting.asked(FILE)
    assert "Authorization" not in download.headers
    exporting.answers[f"GET {STATUS}"] = exporting.manifest(output=files, requiresAccessToken=True)
    with pytest.raises(FhirError, match="requires sending the token to http://localhost") as caught:
        exported(replace(ORDER, types=("Encounter",)))
    assert "signature" not in str(caught.value)


def test_the_status_url_must_be_on_the_same_server(exporting, exported, reply) -> None:
    exporting.answers[f"GET {KICK_OFF}"] = reply(status=202, headers={"Content-Location": "https://other.example/1"})
    with pytest.raises(FhirError, match=r"gives the status URL https://other\.example/1"):
        exported()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": [None]}, "an entry in output that is not a file"),
        ({"output": [{"type": "Patient", "url": "http://[x"}]}, "contains an invalid web address"),
        ({"output": [{"type": "Patient"}]}, "expected https"),
        ({"output": None}, "has no output list"),
    ],
)
def test_a_manifest_that_names_no_files_is_an_error(exporting, exported, changes: dict[str, Any], message: str) -> None:
    exporting.answers[f"GET {STATUS}"] = exporting.manifest(**changes)
    with pytest.raises(FhirError, match=f"manifest.* {message}"):
        exported()


def test_a_missing_list_of_errors_means_no_errors(exporting, exported) -> None:
    exporting.answers[f"GET {STATUS}"] = exporting.manifest(error=None)
    assert len(exported()) == 2


def test_errors_that_cannot_be_read_are_errors(exporting, exported, reply, server) -> None:
    exporting.answers[f"GET {STATUS}"] = exporting.manifest(error=[{"url": f"{server.url}/files/errors"}])
    exporting.answers["GET /fhir/files/errors"] = reply(b'<html>\n["x"]\n')
    with pytest.raises(FhirError, match="2 times unreadable"):
        exported()


def test_a_status_url_that_is_not_an_address_is_an_error(exporting, exported, reply) -> None:
    exporting.answers[f"GET {KICK_OFF}"] = reply(status=202, headers={"Content-Location": "http://[x"})
    with pytest.raises(FhirError, match="Content-Location contains an invalid web address"):
        exported()


def test_a_server_that_answers_at_once_does_not_export(exporting, exported, reply) -> None:
    exporting.answers[f"GET {KICK_OFF}"] = reply({"resourceType": "Bundle"})
    with pytest.raises(FhirError, match="does not support bulk export"):
        exported()


def test_a_server_that_cannot_delete_an_export_is_no_reason_to_fail(exporting, exported, reply) -> None:
    exporting.answers[f"DELETE {STATUS}"] = reply({}, 500)
    assert len(exported()) == 2


def test_neither_token_nor_urls_of_files_are_kept(exporting, exported, folder) -> None:
    exported()
    assert "secret" not in folder.read_text("export.json")
    assert "/files/" not in folder.read_text("export.json")


def test_a_file_is_never_in_memory_as_a_whole(exporting, export_it, reply) -> None:
    large = LINES * 500_000  # 36 MB
    exporting.answers[f"GET {FILE}"] = reply(large)
    exporting.answers[f"GET {STATUS}"] = exporting.manifest(
        output=[{"type": "Patient", "url": f"{exporting.server.url}/files/1", "count": 1_000_000}]
    )
    tracemalloc.start()
    try:
        export_it()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(large) / 4


def test_a_line_that_does_not_end_is_an_error(exporting, exported, folder, reply, monkeypatch) -> None:
    monkeypatch.setattr(bulk_export, "MOST_IN_A_LINE", 2**20)
    exporting.answers[f"GET {FILE}"] = reply(LINES + b'{"resourceType":"Patient","id":"' + b"c" * 2**21)
    with pytest.raises(FhirError, match="/files/1: has a line of more than 1 MiB"):
        exported()
    assert folder.list("export") == []


def test_errors_are_read_line_by_line_wherever_the_parts_end(exporting, exported, reply, server) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
    lines = b"\n".join(json.dumps({**outcome, "id": "x" * 700_000}).encode() for _ in range(5))
    exporting.answers[f"GET {STATUS}"] = exporting.manifest(error=[{"type": "X", "url": f"{server.url}/errors"}])
    exporting.answers["GET /fhir/errors"] = reply(lines)
    with pytest.raises(FhirError, match="5 times exception"):
        exported()
