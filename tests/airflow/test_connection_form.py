"""Tests the fix for the Test button of Airflow's form; test_scheduler presses the button itself."""

import asyncio
import json

import pytest

from wardround.airflow.connection_form import PortLeftEmpty, without_port_0

FORM = {"connection_id": "ward", "conn_type": "fhir", "host": "https://h.org/r4", "port": 0, "password": "***"}


def answered(path, *parts, method="POST", kind="http"):
    """Returns what the application behind the middleware receives: headers, body, and what comes after it."""
    seen = {}
    messages = [
        {"type": "http.request", "body": part, "more_body": place < len(parts)}
        for place, part in enumerate(parts, start=1)
    ]
    messages.append({"type": "http.disconnect"})

    async def application(scope, receive, _send):
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        seen.update(headers=dict(scope["headers"]), body=body, after=await receive())

    async def receive():
        return messages.pop(0)

    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(b"".join(parts))).encode())]
    scope = {"type": kind, "method": method, "path": path, "headers": headers}
    asyncio.run(PortLeftEmpty(application)(scope, receive, None))
    return seen


@pytest.mark.parametrize("path", ["/api/v2/connections/test", "/airflow/api/v2/connections/test"])
def test_port_0_of_a_fhir_connection_is_removed_before_the_test(path):
    sent = json.dumps(FORM).encode()

    seen = answered(path, sent[:20], sent[20:])

    assert json.loads(seen["body"]) == {**FORM, "port": None}
    assert seen["headers"][b"content-length"] == str(len(seen["body"])).encode()
    assert seen["headers"][b"content-type"] == b"application/json"
    assert seen["after"] == {"type": "http.disconnect"}


@pytest.mark.parametrize(
    ("path", "method"),
    [("/api/v2/connections", "POST"), ("/api/v2/connections/test", "PATCH"), ("/api/v2/connections/test/x", "POST")],
)
def test_every_other_request_passes_unchanged(path, method):
    sent = json.dumps(FORM).encode()
    seen = answered(path, sent, method=method)
    assert (seen["body"], seen["headers"][b"content-length"]) == (sent, str(len(sent)).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        json.dumps({**FORM, "port": 8080}).encode(),
        json.dumps({**FORM, "port": None}).encode(),
        json.dumps({**FORM, "conn_type": "http"}).encode(),
    ],
)
def test_the_test_of_any_other_connection_passes_unchanged(body):
    assert without_port_0(body) == body
