"""Tests that there is one Device for the screening, however its creation is answered."""

import json
from typing import Any

import pytest

from wardround.errors import FhirError
from wardround.fhir import risk_assessments
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.results.risk_assessment import DEVICE_SYSTEM, IDENTIFIER_SYSTEM
from wardround.workflows.screen.settle import settle
from wardround.workflows.screen.written import Written

DEVICE = {"resourceType": "Device", "identifier": [{"system": DEVICE_SYSTEM, "value": "ours"}]}


@pytest.fixture
def devices(server, page, reply):
    """devices(response, kept) answers a creation so, stores the Device if `kept`, and returns the requests."""

    def follow(response: dict[str, Any], kept: bool = True) -> list[str]:
        held: list[dict[str, Any]] = []
        asked: list[str] = []

        def answer(request):
            if request.path.endswith("/_search"):
                asked.append("look")
                return page(*held)
            asked.append(json.loads(request.body)["entry"][0]["request"]["ifNoneExist"])
            held.extend([{**DEVICE, "id": "d1"}] if kept else [])
            return reply({"resourceType": "Bundle", "entry": [{"response": response}]})

        server.answer = answer
        return asked

    return follow


def reference(server) -> str:
    with FhirClient(FhirEndpoint(server.url)) as client:
        return risk_assessments.device_reference(client, DEVICE)


CREATE = f"identifier={DEVICE_SYSTEM}|ours"


@pytest.mark.parametrize("location", ["Device/d1/_history/1", "http://elsewhere.test/r4/Device/d1", "Device/d1"])
def test_a_device_is_known_by_where_the_server_says_it_is(server, devices, location) -> None:
    asked = devices({"status": "201 Created", "location": location})
    assert reference(server) == "Device/d1"
    assert asked == ["look", CREATE]


@pytest.mark.parametrize(
    "response",
    [
        {"status": "201"},
        {"status": "200", "location": ""},
        {"status": "201", "location": "urn:uuid:1"},
        {"status": "412"},
    ],
)
def test_a_device_is_looked_for_where_the_server_does_not_say(server, devices, response) -> None:
    asked = devices(response)
    assert reference(server) == "Device/d1"
    assert asked == ["look", CREATE, "look"]


def test_a_device_that_is_there_is_not_created(server, devices) -> None:
    asked = devices({"status": "201"})
    reference(server)
    asked.clear()
    assert reference(server) == "Device/d1"
    assert asked == ["look"]


def test_a_location_in_a_refusal_names_no_device(server, devices) -> None:
    devices({"status": "403 Forbidden", "location": "Device/d1"}, kept=False)
    with pytest.raises(FhirError, match=r"did not store the Device of Wardround \(status 403\)"):
        reference(server)


@pytest.mark.parametrize(
    "content",
    [
        {"id": None},
        {"id": 7},
        {"id": "a b"},
        {"meta": []},
        {"note": None},
        {"prediction": {}},
        {"subject": "Patient/a"},
        {"status": None},
        {"meta": {"versionId": "1\r\nX-Admin: 1"}},
        {"prediction": [{"probabilityDecimal": "0.5"}]},
    ],
)
def test_a_misshapen_risk_assessment_fails_its_stay_alone_and_is_not_written_over(server, page, reply, content) -> None:
    def risk(key: str) -> dict[str, Any]:
        return {
            "resourceType": "RiskAssessment",
            "id": key,
            "status": "final",
            "identifier": [{"system": IDENTIFIER_SYSTEM, "value": key}],
        }

    server.answer = lambda _request: page(risk("one"), {**risk("two"), **content})
    account = Written()
    with FhirClient(FhirEndpoint(server.url)) as client:
        wanted = {key: {name: risk(key)[name] for name in ("resourceType", "identifier")} for key in ("one", "two")}
        settle(wanted, {"one": "e1", "two": "e2"}, client, account)
    assert account.unchanged == {"e1"}
    assert account.as_json()["failed"] == {"e2": "write:malformed"}
    assert {request.path for request in server.requests} == {"/fhir/RiskAssessment/_search"}


def test_the_last_version_of_a_changing_risk_assessment_is_found(server, page) -> None:
    def version(hour: int, system: str = IDENTIFIER_SYSTEM) -> dict[str, Any]:
        meta = {"lastUpdated": f"2026-01-02T0{hour}:00:00Z"}
        return {
            "resourceType": "RiskAssessment",
            "id": "r",
            "meta": meta,
            "identifier": [{"system": system, "value": "x"}],
        }

    with FhirClient(FhirEndpoint(server.url)) as client:
        server.replies(page(version(5), following="?page=2"), page(version(6)))
        assert [one["meta"] for one in risk_assessments.held(client, ["x"])["x"]] == [version(6)["meta"]]
        server.replies(page(version(5), following="?page=2"), page(version(6, "urn:moved")))
        assert "x" not in risk_assessments.held(client, ["x"])
