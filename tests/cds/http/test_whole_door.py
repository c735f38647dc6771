"""Tests the whole bedside door over HTTP: real calls about a small ICU, and what becomes of hostile ones."""

import logging
from dataclasses import replace

import orjson
import pytest
import requests
from tests.fixtures.icu import AS_OF

MARKS = ("ZZTOPSECRET", "MRN-77123456", "1931-04-17", "coughing since tuesday", "zz-access-token")
VALUE = 123.456
DEEP = 100_000


@pytest.fixture
def at_the_time(door, ehr):
    """The door's `answer`, for calls that arrive when the ICU's patients are there."""
    return lambda request: door.answer(replace(request, arrived=AS_OF))


@pytest.fixture
def served(serve, at_the_time):
    return serve(at_the_time)


def posted(served, body, path="/cds-services/sepsis-risk"):
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return served.call(path=path, data=content)


def test_a_call_is_answered_with_a_card_recorded_and_counted(served, ehr):
    answer = posted(served, ehr.call())
    assert answer.status_code == 200
    [card] = answer.json()["cards"]
    assert card["summary"].startswith("Sepsis risk: HIGH")
    [event] = served.audit()
    details = {one["type"]: one["valueString"] for entity in event["entity"] for one in entity.get("detail", [])}
    assert (details["outcome"], details["band"], details["card"]) == ("card", "high", card["uuid"])
    assert 'wardround_cds_calls_total{service="sepsis-risk",outcome="card",band="high"} 1' in served.metrics()


def test_feedback_is_taken_and_answered_without_a_body(served, ehr):
    [card] = posted(served, ehr.call()).json()["cards"]
    entry = {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": "2026-01-02T05:00:07Z"}
    answer = posted(served, {"feedback": [entry]}, "/cds-services/sepsis-risk/feedback")
    assert (answer.status_code, answer.content) == (200, b"")


def test_the_page_that_a_card_links_to_is_there(served, ehr):
    [card] = posted(served, ehr.call()).json()["cards"]
    page = requests.get(card["source"]["url"].replace("https://cds.example.org", served.url), timeout=30)
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def deep(opening: bytes, closing: bytes) -> bytes:
    return opening * DEEP + closing * DEEP


@pytest.mark.parametrize("nest", [deep(b"[", b"]"), deep(b'{"a":', b"}").replace(b":}", b":1}", 1)])
@pytest.mark.parametrize("where", ["whole", "context", "prefetch", "resource", "extension", "feedback"])
def test_deep_nesting_is_refused_or_left_alone_and_harms_no_other_call(ehr, nest, where):
    call = ehr.call()
    mark = b'"HERE"'
    match where:
        case "whole":
            body = nest
        case "context":
            body = orjson.dumps({**call, "context": {**call["context"], "more": "HERE"}}).replace(mark, nest)
        case "prefetch":
            body = orjson.dumps({**call, "prefetch": "HERE"}).replace(mark, nest)
        case "resource":
            patient = {**call["prefetch"]["patient"], "more": "HERE"}
            body = orjson.dumps({**call, "prefetch": {**call["prefetch"], "patient": patient}}).replace(mark, nest)
        case "extension":
            body = orjson.dumps({**call, "extension": "HERE"}).replace(mark, nest)
        case "feedback":
            body = b'{"feedback":' + nest + b"}"
    answer = ehr.send(body, f"sepsis-risk{'/feedback' if where == 'feedback' else ''}")
    assert answer.status in (200, 400, 412)
    said = orjson.loads(answer.body)
    assert said["resourceType"] == "OperationOutcome" if answer.status != 200 else said["cards"]
    assert ehr.ask()["cards"]


def marked(ehr, **changed):
    """Returns a call about a patient whose data are marked wherever a person or a server may have put something."""
    call = ehr.call(**changed)
    patient = call["prefetch"]["patient"]
    patient["name"] = [{"family": MARKS[0], "given": [MARKS[0]]}]
    patient["identifier"] = [{"system": "urn:hospital", "value": MARKS[1]}]
    patient["birthDate"] = MARKS[2]
    for entry in call["prefetch"]["observations"]["entry"]:
        entry["resource"]["note"] = [{"text": MARKS[3]}]
        if entry["resource"].get("valueQuantity", {}).get("unit") == "/min":
            entry["resource"]["valueQuantity"]["value"] = VALUE
    call["fhirServer"] = "https://ehr.example.org/fhir"
    call["fhirAuthorization"] = {
        "access_token": MARKS[4],
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.rs",
        "subject": "wardround",
    }
    return call


def broken(call, kind):
    """Returns a marked call that ends as this kind."""
    match kind:
        case "another patient":
            call["context"]["patientId"] = "ZZTOPSECRET"
        case "not a call":
            call["context"]["patientId"] = {"value": MARKS[1]}
        case "another hook":
            call["hook"] = MARKS[0]
        case "prefetch missing":
            del call["prefetch"]["observations"]
        case "HTML in prefetch":
            call["prefetch"]["observations"] = f"<html>{MARKS[3]}</html>"
        case "odd values":
            for entry in call["prefetch"]["observations"]["entry"]:
                entry["resource"]["effectiveDateTime"] = MARKS[0]
                entry["resource"]["valueQuantity"] = {"value": MARKS[3], "unit": MARKS[0]}
        case "odd shapes":
            call["prefetch"]["encounters"]["entry"] = [{"resource": {"resourceType": "Encounter", "id": [MARKS[1]]}}]
    return call


@pytest.mark.parametrize(
    ("kind", "statuses"),
    [
        ("whole", {200}),
        ("another patient", {400}),
        ("not a call", {400}),
        ("another hook", {400}),
        ("prefetch missing", {412}),
        ("HTML in prefetch", {200, 412}),
        ("odd values", {200}),
        ("odd shapes", {200, 412}),
    ],
)
def test_marked_values_are_in_no_log_metric_record_or_refusal(served, ehr, caplog, capfd, kind, statuses):
    caplog.set_level(logging.DEBUG)
    answer = posted(served, broken(marked(ehr), kind))
    assert answer.status_code in statuses, answer.text
    logged = [record.getMessage() for record in caplog.records if not record.name.startswith("urllib3")]
    printed = capfd.readouterr()
    kept = b"".join(file.read_bytes() for file in served.folder.rglob("*") if file.is_file()).decode(errors="replace")
    refused = "" if answer.status_code == 200 else answer.text
    for mark in (*MARKS, str(VALUE), "p-a"):
        assert mark not in "\n".join([refused, *logged, printed.out, printed.err, served.metrics(), kept]), mark
