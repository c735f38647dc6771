"""Tests that each request leaves one valid AuditEvent, whole and in order, and nothing of a patient anywhere."""

import logging
import resource
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
import requests
from fhir.resources.R4B.auditevent import AuditEvent

from wardround.cds.exchange import Answer, Call
from wardround.cds.http.audit import Asked, Audit, audit_event
from wardround.cds.problems import Problem
from wardround.errors import DatabaseError, StorageError
from wardround.settings import PROJECT

AT = datetime(2026, 3, 10, 4, 30, tzinfo=UTC)
CALL = Call(
    at=AT,
    issuer="https://ehr.example.org/fhir",
    service="sepsis-risk",
    hook="patient-view",
    as_of=AT,
    condition="sepsis",
    model_version="3.0.0-4be11de2a70c",
    patient_key="9f86d081884c7d65",
    inputs_digest="2c26b46b68ffc68f",
    band="high",
    outcome="card",
    card="0b6f1a3e-4d0e-4c55-9df2-2c1d2f0f0c11",
)
SECRETS = ("ZZTOPSECRET", "MRN-77123456", "123.456", "coughing since tuesday", "p-4711", "zz-token-zz")
"""A name, a record number, a value, free text, a patient's id, an access token."""


def details(event):
    return {one["type"]: one["valueString"] for entity in event["entity"] for one in entity.get("detail", [])}


@pytest.mark.parametrize(
    ("asked", "outcome", "action"),
    [
        (Asked(AT, "call", CALL.issuer, 200, CALL), "0", "E"),
        (Asked(AT, "call", "", 401, refused="signature"), "4", "E"),
        (Asked(AT, "call", CALL.issuer, 503), "8", "E"),
        (Asked(AT, "discovery", CALL.issuer, 200), "0", "R"),
        (Asked(AT, "feedback", CALL.issuer, 200), "0", "C"),
    ],
)
def test_a_record_is_an_audit_event_of_r4(asked, outcome, action):
    event = audit_event(asked)
    AuditEvent.model_validate(event)
    assert (event["outcome"], event["action"], event["recorded"]) == (outcome, action, "2026-03-10T04:30:00.000+00:00")
    assert "" not in orjson.dumps(event).decode().split('"')[1::2]


def test_a_record_of_a_call_says_who_asked_about_whom_and_what_came_of_it():
    event = audit_event(Asked(AT, "call", CALL.issuer, 200, CALL))
    assert event["agent"] == [{"who": {"identifier": {"value": CALL.issuer}}, "requestor": True}]
    [patient] = [one for one in event["entity"] if one["role"]["code"] == "1"]
    assert patient["what"]["identifier"] == {"system": "urn:wardround:patient-key", "value": CALL.patient_key}
    assert details(event) == {
        "status": "200",
        "service": "sepsis-risk",
        "hook": "patient-view",
        "condition": "sepsis",
        "model_version": CALL.model_version,
        "inputs_digest": CALL.inputs_digest,
        "band": "high",
        "outcome": "card",
        "card": CALL.card,
    }


def test_a_day_has_a_file_of_its_own_which_only_its_owner_reads(tmp_path):
    audit = Audit(tmp_path / "audit")
    late = datetime(2026, 3, 10, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    for at in (AT, late, AT):
        audit.record(Asked(at, "discovery", "", 200))
    files = sorted((tmp_path / "audit").iterdir())
    assert [(file.name, len(file.read_bytes().splitlines())) for file in files] == [
        ("2026-03-10.ndjson", 2),
        ("2026-03-11.ndjson", 1),
    ]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_many_processes_append_whole_lines(tmp_path):
    code = (
        "import sys\nfrom datetime import UTC, datetime\nfrom pathlib import Path\n"
        "from wardround.cds.http.audit import Asked, Audit\n"
        "audit, at = Audit(Path(sys.argv[1])), datetime(2026, 3, 10, tzinfo=UTC)\n"
        "for number in range(200): audit.record(Asked(at, 'call', sys.argv[2] + '-' + str(number), 200))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    writers = [subprocess.Popen([*command, str(number)], cwd=PROJECT) for number in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    lines = (tmp_path / "2026-03-10.ndjson").read_bytes().splitlines()
    issuers = [orjson.loads(line)["agent"][0]["who"]["identifier"]["value"] for line in lines]
    assert sorted(issuers) == sorted(f"{writer}-{number}" for writer in range(3) for number in range(200))
    # Each one's lines are in its order.
    for writer in range(3):
        mine = [int(issuer.split("-")[1]) for issuer in issuers if issuer.startswith(f"{writer}-")]
        assert mine == sorted(mine)


def test_a_full_disk_leaves_no_half_line(tmp_path):
    audit, asked = Audit(tmp_path), Asked(AT, "call", CALL.issuer, 200, CALL)
    audit.record(asked)
    file = tmp_path / "2026-03-10.ndjson"
    before = file.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))  # Python ignores the signal that comes with it
    try:
        with pytest.raises(StorageError, match=r"2026-03-10\.ndjson: "):
            audit.record(asked)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert file.read_bytes() == before


def test_every_request_is_recorded_with_its_issuer_once_it_is_verified(serve, caller, listed):
    served = serve(lambda _request: Answer(200, b'{"cards":[]}', CALL), issuers=[listed(caller)])
    served.call(caller.token())
    served.call(caller.token(aud="https://elsewhere.example.org"))
    served.call(caller.token(), data=b"", headers={"Content-Type": "text/plain"})
    events = served.audit()
    for event in events:
        AuditEvent.model_validate(event)
    assert [details(event)["status"] for event in events] == ["200", "401", "415"]
    assert [event["agent"][0].get("who", {}).get("identifier") for event in events] == [
        {"value": caller.issuer},
        None,  # what an unverified token says is not repeated
        {"value": caller.issuer},
    ]
    assert details(events[1])["refused"] == "audience"


def test_an_audit_that_cannot_be_written_is_counted_and_logged_and_the_score_goes_out(serve, caplog):
    served = serve()
    (served.folder / "audit").write_text("in the way")
    for _ in range(2):
        assert served.call().status_code == 200
    assert "wardround_cds_audit_failures_total 2" in served.metrics()
    assert caplog.text.count("there is a file where a folder is expected") == 1
    (served.folder / "audit").unlink()
    assert served.call().status_code == 200
    assert "the audit can be used again; meanwhile, 2 records were not written" in caplog.text


def test_the_metrics_are_in_prometheus_format_and_sum_up(serve):
    served = serve(lambda _request: Answer(200, b'{"cards":[]}', CALL))
    for _ in range(3):
        served.call()
    requests.get(f"{served.url}/cds-services", timeout=30)
    answer = requests.get(f"{served.url}/metrics", timeout=30)
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert 'wardround_cds_calls_total{service="sepsis-risk",outcome="card",band="high"} 4' in lines
    assert 'wardround_cds_requests_total{kind="call",status="200"} 3' in lines
    assert 'wardround_cds_call_seconds_bucket{service="sepsis-risk",le="+Inf"} 4' in lines
    assert 'wardround_cds_call_seconds_count{service="sepsis-risk"} 4' in lines
    buckets = [line for line in lines if line.startswith("wardround_cds_call_seconds_bucket")]
    counts = [int(line.rpartition(" ")[2]) for line in buckets]
    assert counts == sorted(counts)
    assert len(buckets) == 12
    for name in ("wardround_cds_requests_total", "wardround_cds_calls_total", "wardround_cds_call_seconds"):
        assert sum(line.startswith(f"# TYPE {name} ") for line in lines) == 1


def refusing(status):
    def answer(request):
        assert all(secret.encode() in request.body for secret in SECRETS)
        raise_what = {
            400: Problem(400, "context.patientId: is missing"),
            412: Problem(412, "observations: could not be read"),
        }
        if status in raise_what:
            return raise_what[status].answer()
        if status == 503:
            raise DatabaseError("the database: is busy, expected it free; try again")
        raise ValueError(request.body.decode())

    return answer


@pytest.mark.parametrize("status", [200, 400, 401, 412, 413, 415, 500, 503])
def test_marked_values_are_in_no_log_metric_record_or_refusal(serve, caller, listed, caplog, capfd, status):
    caplog.set_level(logging.DEBUG)
    answers = {200: lambda _request: Answer(200, b'{"cards":[]}', CALL)}
    issuers = [listed(caller)] if status == 401 else None
    served = serve(answers.get(status, refusing(status)), issuers=issuers)
    body = orjson.dumps({"patient": SECRETS, "filler": "x" * (6 * 2**20 if status == 413 else 0)})
    headers = {"Content-Type": "text/plain"} if status == 415 else {}
    forged = caller.token(iss=SECRETS[0], jti=SECRETS[5]) if status == 401 else None
    path = f"/cds-services/{SECRETS[4]}?name={SECRETS[0]}" if status == 400 else "/cds-services/sepsis-risk"
    answer = served.call(forged, path=path, data=body, headers={"X-Patient": SECRETS[0], **headers})
    assert answer.status_code == (403 if status == 401 else status)
    logged = [record.getMessage() for record in caplog.records if not record.name.startswith("urllib3")]
    printed = capfd.readouterr()
    audit = b"".join(file.read_bytes() for file in (served.folder / "audit").iterdir()).decode()
    kept = b"".join(file.read_bytes() for file in served.folder.rglob("*") if file.is_file()).decode(errors="replace")
    for secret in SECRETS:
        assert secret not in "\n".join([answer.text, *logged, printed.out, printed.err, served.metrics(), audit, kept])
    assert len(served.audit()) == 1
