"""Tests which paths the door has, and what it answers at others."""

import orjson
import pytest
from tests.fixtures.icu import AS_OF

from wardround.cds.door import Door
from wardround.cds.exchange import Request


@pytest.mark.parametrize(
    ("method", "path", "takes"),
    [
        ("POST", "/cds-services", "GET"),
        ("GET", "/cds-services/sepsis-risk", "POST"),
        ("DELETE", "/cds-services/sepsis-risk", "POST"),
        ("GET", "/cds-services/sepsis-risk/feedback", "POST"),
        ("POST", "/model-cards/sepsis/1.0.0-0123456789ab", "GET"),
    ],
)
def test_another_method_is_refused_and_the_right_one_named(prepared: Door, method: str, path: str, takes: str) -> None:
    answer = prepared.answer(Request(method, path, AS_OF, b"{}"))

    assert (answer.status, answer.headers) == (405, {"Allow": takes})
    assert orjson.loads(answer.body)["issue"][0]["code"] == "not-supported"


@pytest.mark.parametrize(
    "path",
    [
        *("/", "", "/canary-4711", "/cds-services/canary-4711", "/cds-services/canary-4711/feedback"),
        *("/cds-services/sepsis", "/cds-services/sepsis-risk/feedback/canary-4711", "/cds-services/sepsis-risk/other"),
        *("/model-cards/sepsis", "/model-cards/sepsis/canary-4711", "/model-cards/../../canary-4711/x"),
        *("/model-cards/canary-4711/1.0.0-0123456789ab", "/model-cards/%2e%2e/canary-4711"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_not_there_is_said_without_echo(prepared: Door, method: str, path: str) -> None:
    answer = prepared.answer(Request(method, path, AS_OF, b"{}"))

    assert answer.status == (405 if method == "POST" and path.count("/") == 3 and "model-cards" in path else 404)
    assert b"canary" not in answer.body
    assert orjson.loads(answer.body)["resourceType"] == "OperationOutcome"
    assert answer.call is None


def test_the_model_card_that_cards_link_to_is_there(prepared: Door) -> None:
    answer = prepared.answer(Request("GET", "/model-cards/sepsis/1.0.0-0123456789ab", AS_OF))

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert b"1.0.0-0123456789ab" in answer.body
