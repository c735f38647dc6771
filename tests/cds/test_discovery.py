"""Tests what `GET /cds-services` lists."""

from datetime import UTC, datetime

import orjson

from wardround.cds.door import Door
from wardround.cds.exchange import Request
from wardround.settings import settings_from

AT = datetime(2026, 11, 1, 8, tzinfo=UTC)


def test_every_condition_has_a_service_on_patient_view():
    answer = Door.of(settings_from({})).answer(Request("GET", "/cds-services", AT))

    assert answer.status == 200
    services = orjson.loads(answer.body)["services"]
    assert {one["id"]: one["hook"] for one in services} == {
        "mortality-risk": "patient-view",
        "sepsis-encounter-discharge": "encounter-discharge",
        "sepsis-encounter-start": "encounter-start",
        "sepsis-risk": "patient-view",
    }


def test_discovery_is_only_read():
    answer = Door.of(settings_from({})).answer(Request("POST", "/cds-services", AT))

    assert (answer.status, answer.headers) == (405, {"Allow": "GET"})
    assert orjson.loads(answer.body)["resourceType"] == "OperationOutcome"


def test_what_is_not_there_is_said_without_echo():
    answer = Door.of(settings_from({})).answer(Request("GET", "/cds-services/canary-4711", AT))

    assert answer.status == 404
    assert b"canary" not in answer.body
