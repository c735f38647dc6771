"""Tests that batches are split, repeated where that is safe, and sent in parts if a server refuses a whole one."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from wardround.errors import FhirError
from wardround.fhir import batch
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.patience import Patience
from wardround.fhir.transport import ATTEMPTS, Transport
from wardround.fhir.write_outcome import UNANSWERED, WriteOutcome
from wardround.spec.servers import GENERIC

ONE_BY_ONE = GENERIC.model_copy(update={"has_batch": False})


def put(name: str, **request: str) -> dict[str, Any]:
    asked = {"method": "PUT", "url": f"RiskAssessment?identifier=s|{name}", **request}
    return {"resource": {"resourceType": "RiskAssessment", "name": name}, "request": asked}


def performed(server, *entries: dict[str, Any], repeat: bool = True, **source: Any) -> list[str]:
    """Returns the statuses, from a client that does not wait between its attempts."""
    asked = FhirEndpoint(server.url, **source)
    transport = Transport(asked, patience=Patience(pause=lambda _seconds: None))
    try:
        return [str(WriteOutcome.of(answer)) for answer in batch.perform(entries, asked, transport, repeat)]
    finally:
        transport.close()


@pytest.fixture
def statuses(server, reply) -> Callable[[Callable[[str, int], str | int]], None]:
    """statuses(of) makes the server answer each entry with of(name, number of earlier requests for it)."""

    def follow(of: Callable[[str, int], str | int]) -> None:
        seen: dict[str, int] = {}

        def one(entry: dict[str, Any]) -> dict[str, Any]:
            name = entry["resource"]["name"]
            seen[name] = seen.get(name, -1) + 1
            return {"response": {"status": str(of(name, seen[name]))}}

        def answer(request):
            entries = [one(entry) for entry in json.loads(request.body)["entry"]]
            return reply({"resourceType": "Bundle", "entry": entries})

        server.answer = answer

    return follow


def sizes(server) -> list[int]:
    return [len(json.loads(request.body)["entry"]) for request in server.requests]


def test_a_batch_is_cut_and_answered_in_order(server, statuses) -> None:
    statuses(lambda name, _seen: int(name))
    entries = [put(str(200 + number)) for number in range(5)]
    assert performed(server, *entries, entries_per_batch=2) == ["200", "201", "202", "203", "204"]
    assert sizes(server) == [2, 2, 1]


@pytest.mark.parametrize("busy", ["429 Too Many Requests", "503"])
def test_an_entry_that_met_a_busy_server_is_sent_again_alone(server, statuses, busy: str) -> None:
    statuses(lambda name, seen: busy if name == "b" and seen < 2 else "201 Created")
    assert performed(server, put("a"), put("b"), put("c")) == ["201", "201", "201"]
    assert sizes(server) == [3, 1, 1]


def test_an_entry_that_never_gets_through_has_the_status_of_a_busy_server(server, statuses) -> None:
    statuses(lambda name, _seen: "429" if name == "b" else "200")
    assert performed(server, put("a"), put("b")) == ["200", "429"]
    assert sizes(server) == [2, *[1] * (ATTEMPTS - 1)]


def test_an_entry_that_was_refused_is_not_sent_again(server, statuses) -> None:
    statuses(lambda name, _seen: "422" if name == "b" else "200")
    assert performed(server, put("a"), put("b")) == ["200", "422"]
    assert sizes(server) == [2]


def test_too_few_answers_are_asked_for_again_and_are_an_error_in_the_end(server, reply, statuses) -> None:
    server.answer = lambda _request: reply({"resourceType": "Bundle", "entry": [{"response": {"status": "201"}}]})
    with pytest.raises(FhirError, match="the wrong number of entries 5 times"):
        performed(server, put("a"), put("b"))
    assert sizes(server) == [2] * ATTEMPTS


NO_ANSWERS = [
    None,
    5,
    {"response": {"status": "201"}},
    [None],
    [5],
    [{"response": None}],
    [{}],
    [{"response": {"status": "PRIVATE"}}],
]


@pytest.mark.parametrize("answered", NO_ANSWERS)
def test_what_is_no_answer_to_an_entry_is_asked_for_again(server, reply, answered: object) -> None:
    good = {"resourceType": "Bundle", "entry": [{"response": {"status": "201"}}]}
    server.replies(reply({"resourceType": "Bundle", "entry": answered}), reply(good))
    assert performed(server, put("a")) == ["201"]


def test_what_must_not_be_done_twice_is_sent_once(server, reply) -> None:
    server.answer = lambda _request: reply({"resourceType": "Bundle", "entry": []}, cut=True)
    assert performed(server, put("a"), put("b"), repeat=False) == [UNANSWERED, UNANSWERED]
    server.answer = lambda _request: reply(status=503)
    assert performed(server, put("a"), repeat=False) == [UNANSWERED]
    assert sizes(server) == [2, 1]


def test_a_refused_batch_is_halved_until_the_bad_entry_is_alone(server, reply) -> None:
    def answer(request):
        names = [entry["resource"]["name"] for entry in json.loads(request.body)["entry"]]
        entries = [{"response": {"status": "201"}} for _ in names]
        return reply(status=400) if "bad" in names else reply({"resourceType": "Bundle", "entry": entries})

    server.answer = answer
    assert performed(server, put("a"), put("b"), put("bad"), put("c")) == ["201", "201", "400", "201"]


def test_a_server_without_batch_gets_one_request_an_entry_with_its_conditions(server, reply) -> None:
    answers = [reply({"resourceType": "RiskAssessment"}, status=201), reply(status=412), reply(b"", status=204)]
    server.replies(*answers)
    create = {"resource": {}, "request": {"method": "POST", "url": "Device", "ifNoneExist": "identifier=s|d"}}
    entries = [put("a"), put("b", ifMatch='W/"3"'), create]
    assert performed(server, *entries, profile=ONE_BY_ONE) == ["201", "412", "204"]
    first, second, third = server.requests
    assert (first.method, first.path) == ("PUT", "/fhir/RiskAssessment?identifier=s%7Ca")
    assert second.headers["If-Match"] == 'W/"3"'
    assert (third.method, third.path, third.headers["If-None-Exist"]) == ("POST", "/fhir/Device", "identifier=s|d")


@pytest.mark.parametrize(
    "entry", [[None], None, [{"response": None}], [{"response": []}], [{"response": {"status": None}}]]
)
def test_an_answered_entry_that_says_nothing_is_unanswered(server, reply, entry: object) -> None:
    server.answer = lambda _request: reply({"resourceType": "Bundle", "entry": entry})
    with pytest.raises(FhirError, match="answered a batch with the wrong number of entries"):
        performed(server, put("a"))
