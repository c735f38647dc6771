"""Tests that each tolerated fault of a server is logged as a warning, with the wait and the attempt."""

import logging
import re
from datetime import timedelta

import pytest

from wardround.errors import FhirError
from wardround.fhir import batch
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint, shown
from wardround.fhir.patience import Patience
from wardround.fhir.sign_in import ClientSecret
from wardround.fhir.transport import Transport

GOOD = {"resourceType": "Patient", "id": "p1"}
TOKEN = {"access_token": "not-to-be-shown", "token_type": "Bearer", "expires_in": 300}


@pytest.fixture
def said(caplog):
    """said() returns level and message of everything that Wardround logged."""
    caplog.set_level(logging.INFO, logger="wardround")
    return lambda: [(record.levelname, record.getMessage()) for record in caplog.records if "wardround" in record.name]


def transport(server, sign_in=None, **limits) -> Transport:
    return Transport(FhirEndpoint(server.url, sign_in), patience=Patience(pause=lambda _seconds: None, **limits))


def test_a_retry_says_why_how_long_and_which_attempt(server, reply, said) -> None:
    server.replies(reply(status=429, headers={"Retry-After": "7"}), reply(GOOD, cut=True), reply(GOOD))
    transport(server).send("GET", f"{server.url}/Patient/p1?name=Zebrowski")
    where = f"{server.url}/Patient/p1"
    assert said() == [
        ("WARNING", f"{where}: answered 429; trying again in 7.0 s, attempt 2 of 5"),
        ("WARNING", f"{where}: no complete answer (ChunkedEncodingError); trying again in 1.0 s, attempt 3 of 5"),
    ]


def test_an_answer_in_time_is_not_logged(server, reply, said) -> None:
    server.replies(reply(GOOD))
    transport(server).send("GET", f"{server.url}/Patient/p1")
    assert said() == []


def test_an_outage_and_its_end_are_logged(server, reply, said) -> None:
    # Five attempts, a look that finds it down, a look that finds it up, and the request.
    server.replies(*[reply(status=503)] * 6, reply(GOOD), reply(GOOD))
    transport(server, wait=timedelta(minutes=5)).send("GET", f"{server.url}/Patient/p1")
    down, up = said()[-2:]
    assert down[0] == up[0] == "WARNING"
    assert "the server is down, waiting for it" in down[1]
    assert up[1] == f"{server.url}/Patient/p1: is up again"


def test_issued_and_refused_tokens_are_logged_but_not_shown(server, reply, said) -> None:
    server.replies(reply(TOKEN), reply(status=401), reply(TOKEN), reply(GOOD))
    transport(server, ClientSecret("me", "secret", f"{server.url}/token")).send("GET", f"{server.url}/Patient/p1")
    given = ("INFO", f"{server.url}/token: issued a token that is valid for 300 s")
    refused = ("WARNING", "a token was refused before it expired; requesting another one")
    assert said() == [given, refused, given]


def test_a_forgotten_search_that_restarts_is_logged(server, page, reply, said) -> None:
    server.replies(page(GOOD, following="?page=2"), reply(status=410), page(GOOD))
    with FhirClient(FhirEndpoint(server.url)) as client:
        assert len(list(client.search("Patient", {}))) == 1
    ((level, message),) = said()
    assert (level, "reading it again from the start" in message) == ("WARNING", True)


def test_a_short_search_that_restarts_is_logged(server, page, said) -> None:
    server.replies(page(GOOD, total=2), page(GOOD, {**GOOD, "id": "p2"}, total=2))
    with FhirClient(FhirEndpoint(server.url)) as client:
        assert len(list(client.search("Patient", {}))) == 2
    ((level, message),) = said()
    assert (level, "returned 1 of the 2 matches" in message) == ("WARNING", True)


def test_a_shrinking_total_is_logged(server, page, said) -> None:
    server.replies(page(GOOD, total=2, following="?page=2"), page(total=1), page(GOOD, total=1))
    with FhirClient(FhirEndpoint(server.url)) as client:
        assert len(list(client.search("Patient", {}))) == 1
    assert said()[0] == (
        "WARNING",
        f"{server.url}/Patient: the total shrank during the search; reading it again until nothing is new",
    )


def test_a_search_that_is_halved_is_logged(server, page, reply, said) -> None:
    server.replies(reply(status=413), page(GOOD), page({**GOOD, "id": "p2"}))
    with FhirClient(FhirEndpoint(server.url)) as client:
        assert len(list(client.search("Patient", {"_id": ["p1", "p2"]}))) == 2
    ((level, message),) = said()
    assert level == "WARNING"
    assert re.search(r"answered 413.*searching again with half as many values at a time$", message)


def test_an_incomplete_batch_is_logged_with_its_count(server, reply, said) -> None:
    asked = [{"resource": GOOD, "request": {"method": "PUT", "url": f"Patient/{number}"}} for number in range(2)]
    answers = [["200", "503"], ["200"]]
    bundles = [[{"response": {"status": status}} for status in statuses] for statuses in answers]
    server.replies(*(reply({"resourceType": "Bundle", "entry": entry}) for entry in bundles))
    batch.perform(asked, FhirEndpoint(server.url), transport(server), repeat=True)
    assert said() == [("WARNING", f"{server.url}: 1 of 2 entries of a batch were not processed, attempt 1 of 5")]


def test_a_url_is_shown_without_control_characters() -> None:
    assert (
        shown("http://me:secret@server/fhir/\x1b[31mPatient\u202e?name=a")
        == r"http://server/fhir/\x1b[31mPatient\u202e"
    )


@pytest.mark.parametrize("odd", ["Zebrowski 7.1", "\x1b[2JBundle", "Bundle\nWARNING all is well", "A" * 100, 7, None])
def test_an_error_does_not_repeat_what_a_server_wrote_where_a_type_belongs(server, reply, odd) -> None:
    server.answer = lambda _request: reply({"resourceType": odd})
    with FhirClient(FhirEndpoint(server.url)) as client:
        with pytest.raises(FhirError, match=r"/metadata: answered no resource, expected CapabilityStatement; "):
            client.capabilities()
        with pytest.raises(FhirError, match=r"/_search: answered no resource, expected Bundle; "):
            list(client.search("Patient", {}))


def test_an_error_does_not_repeat_a_content_type_that_is_none(server, reply) -> None:
    server.answer = lambda _request: reply(b"<html>", headers={"Content-Type": "Zebrowski 7.1"})
    with FhirClient(FhirEndpoint(server.url)) as client, pytest.raises(FhirError, match="answered something, expected"):
        client.capabilities()
