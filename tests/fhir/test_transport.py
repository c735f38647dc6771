"""Tests retries, waits and errors of one request."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests

from wardround.errors import DatabaseError, FhirError, FhirRefused, FhirUnreachable
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.patience import Patience
from wardround.fhir.sign_in import BearerToken
from wardround.fhir.transport import ATTEMPTS, LONGEST_WAIT, Transport

GOOD = {"resourceType": "Patient", "id": "p1"}


def send(url: str, waits: list[float] | None = None, **settings):
    patience = Patience(pause=[].append if waits is None else waits.append)
    transport = Transport(FhirEndpoint(url, **settings), patience=patience)
    try:
        return transport.send("GET", f"{url}/Patient/p1").body
    finally:
        transport.close()


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_a_busy_server_is_asked_again_after_a_growing_wait(server, reply, status: int) -> None:
    server.replies(reply(status=status), reply(status=status), reply(GOOD))
    waits: list[float] = []
    assert send(server.url, waits) == GOOD
    assert waits == [0.5, 1.0]


def test_retry_after_in_seconds_is_honoured_up_to_the_longest_wait(server, reply) -> None:
    server.replies(*(reply(status=429, headers={"Retry-After": seconds}) for seconds in ("7", "999")), reply(GOOD))
    waits: list[float] = []
    send(server.url, waits)
    assert waits == [7.0, LONGEST_WAIT]


def test_retry_after_as_a_date_is_honoured(server, reply) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    server.replies(reply(status=503, headers={"Retry-After": later}), reply(GOOD))
    waits: list[float] = []
    send(server.url, waits)
    assert 0 < waits[0] <= 100


@pytest.mark.parametrize(
    "said",
    [
        "soon",
        "-5",
        "1.5",
        "Wed, 21 Oct 99999999999999999999 07:28:00 GMT",
        "Wed, 21 Oct 2015 07:28:00 +99999999999999",
    ],
)
def test_an_unusable_retry_after_is_ignored(server, reply, said: str) -> None:
    server.replies(reply(status=503, headers={"Retry-After": said}), reply(GOOD))
    waits: list[float] = []
    send(server.url, waits)
    assert waits == [0.5]


def test_a_server_that_stays_busy_is_unreachable(server, reply) -> None:
    server.answer = lambda _request: reply(status=503)
    with pytest.raises(FhirUnreachable, match="answered 503"):
        send(server.url)
    assert len(server.requests) == ATTEMPTS


@pytest.mark.parametrize("broken", [{"cut": True}, {"body": b'{"resourceType": "Pat'}])
def test_a_broken_off_answer_is_asked_for_again(server, reply, broken: dict) -> None:
    server.replies(reply(**broken), reply(GOOD))
    assert send(server.url) == GOOD


@pytest.mark.parametrize("body", [b'{"total": +5, "entry": []}', b'[{"resourceType": "Patient"}]', b"5"])
def test_an_answer_that_is_not_an_object_is_reported_and_not_retried(server, reply, body: bytes) -> None:
    server.replies(reply(body), reply(GOOD))
    with pytest.raises(FhirError, match="something other than a JSON object"):
        send(server.url)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_no_access_is_refused_at_once_and_the_token_not_shown(server, reply, status: int) -> None:
    server.answer = lambda _request: reply(status=status)
    with pytest.raises(FhirRefused, match=f"answered {status}") as caught:
        send(server.url, sign_in=BearerToken("secret"))
    assert "secret" not in str(caught.value)
    assert len(server.requests) == 1


def test_html_is_not_fhir(server, reply) -> None:
    server.answer = lambda _request: reply(b"<html>Welcome</html>", headers={"Content-Type": "text/html; charset=x"})
    with pytest.raises(FhirError, match="answered text/html, expected FHIR"):
        send(server.url)


@pytest.mark.parametrize("code", ["PRIVATE", "not-found PRIVATE", ["PRIVATE"], 7])
def test_an_issue_is_named_by_a_code_of_r4_and_by_nothing_else(server, reply, code: object) -> None:
    server.replies(reply({"resourceType": "OperationOutcome", "issue": [{"code": code}]}, status=400))
    with pytest.raises(FhirError, match=r"answered 400 \(a code unknown to R4\)"):
        send(server.url, [])


def test_a_wrong_path_names_the_url_and_the_issue_but_not_its_text(server, reply) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"code": "not-found", "diagnostics": "PRIVATE"}]}
    server.answer = lambda _request: reply(outcome, status=404)
    with pytest.raises(FhirError, match=r"/fhir/Patient/p1: answered 404 \(not-found\)") as caught:
        send(server.url)
    assert "PRIVATE" not in str(caught.value)


def test_a_redirect_is_not_followed(server, reply) -> None:
    server.answer = lambda _request: reply(status=302, headers={"Location": "http://localhost:9/"})
    with pytest.raises(FhirError, match="answered 302"):
        send(server.url, sign_in=BearerToken("secret"))


def test_where_a_redirect_leads_is_not_even_read(server, reply) -> None:
    server.answer = lambda _request: reply(status=302, headers={"Location": "http://[broken"})
    with pytest.raises(FhirError, match="answered 302"):
        send(server.url)


def test_the_token_goes_with_every_request(server, reply) -> None:
    server.replies(reply(GOOD))
    send(server.url, sign_in=BearerToken("secret"))
    assert server.requests[0].headers["Authorization"] == "Bearer secret"


def test_the_sources_proxy_precedes_the_environments(server, reply, monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server.replies(reply(GOOD))
    assert send("http://fhir.test/fhir", proxy=server.url.removesuffix("/fhir")) == GOOD
    assert server.requests[0].path == "http://fhir.test/fhir/Patient/p1"


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_ca_file_that_cannot_be_used_is_found_before_anything_is_sent(server, tmp_path, content) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(FhirError, match=r"ca.pem: cannot be used, expected PEM certificates"):
        send(server.url, ca_file=str(file))
    assert server.requests == []


def test_a_server_is_asked_for_what_it_holds_now(server, reply) -> None:
    server.replies(reply(GOOD))
    send(server.url)
    assert server.requests[0].headers["Cache-Control"] == "no-cache"


def test_the_transport_can_be_given() -> None:
    class Canned(requests.adapters.BaseAdapter):
        def send(self, request, **_options):
            response = requests.Response()
            response.status_code, response._content, response.request = 200, b'{"resourceType": "Patient"}', request
            return response

        def close(self) -> None:
            pass

    transport = Transport(FhirEndpoint("https://example.org/fhir"), Canned())
    assert transport.send("GET", "https://example.org/fhir/Patient/p1").body == {"resourceType": "Patient"}
    transport.close()


class Clock:
    """A clock that only moves during pauses."""

    def __init__(self) -> None:
        self.now = 0.0

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def patience(self, **settings) -> Patience:
        return Patience(pause=self.pause, clock=lambda: self.now, **settings)


def test_the_retries_of_a_run_are_counted_over_all_its_clients(server, reply) -> None:
    server.answer = lambda _request: reply(status=503)
    patience = Clock().patience(retries=6)
    for match, requests_made in ((r"503 \(tried 5 times\)", 5), ("the run has used up its retries", 5 + 3)):
        transport = Transport(FhirEndpoint(server.url), patience=patience)
        with pytest.raises(FhirUnreachable, match=match):
            transport.send("GET", f"{server.url}/Patient/p1")
        transport.close()
        assert len(server.requests) == requests_made
    assert patience.spent


def test_a_server_that_is_down_is_waited_for_and_then_asked_again(server, reply) -> None:
    clock = Clock()
    server.answer = lambda _request: reply(status=503) if clock.now < 120 else reply(GOOD)
    transport = Transport(FhirEndpoint(server.url), patience=clock.patience(wait=timedelta(minutes=30)))
    assert transport.send("GET", f"{server.url}/Patient/p1").body == GOOD
    transport.close()
    assert 120 <= clock.now < 150


def test_a_server_that_comes_back_before_it_is_looked_at_is_asked_again(server, reply) -> None:
    clock, asked = Clock(), []

    def answer(request):
        if request.path.endswith("/metadata"):
            return reply(GOOD)
        asked.append(request)
        return reply(status=503) if len(asked) <= ATTEMPTS else reply(GOOD)

    server.answer = answer
    transport = Transport(FhirEndpoint(server.url), patience=clock.patience(wait=timedelta(minutes=30)))
    assert transport.send("GET", f"{server.url}/Patient/p1").body == GOOD
    transport.close()
    assert clock.now < 60


def test_a_server_is_waited_for_no_longer_than_allowed_over_all_outages(server, reply) -> None:
    clock = Clock()
    server.answer = lambda _request: reply(status=503)
    transport = Transport(FhirEndpoint(server.url), patience=clock.patience(wait=timedelta(minutes=2)))
    for _ in range(2):
        with pytest.raises(FhirUnreachable):
            transport.send("GET", f"{server.url}/Patient/p1")
    transport.close()
    assert clock.now == 2 * 7.5 + 120


def test_a_server_that_answers_anything_else_is_not_waited_for(server, reply) -> None:
    clock = Clock()
    server.answer = lambda request: reply(status=404 if request.path.endswith("/metadata") else 503)
    transport = Transport(FhirEndpoint(server.url), patience=clock.patience(wait=timedelta(minutes=30)))
    with pytest.raises(FhirUnreachable):
        transport.send("GET", f"{server.url}/Patient/p1")
    transport.close()
    assert clock.now == 2 * 7.5, "twice as often, for it may have come back between"


def test_a_requirement_holds_for_every_request_until_its_block_ends_repeated_ones_too(server, reply) -> None:
    server.replies(reply(status=503), reply(GOOD), reply(GOOD))
    held = iter([True, False])

    def require() -> None:
        if not next(held):
            raise DatabaseError("lost")

    transport = Transport(FhirEndpoint(server.url), patience=Patience(pause=[].append))
    with transport.sending_while(require), pytest.raises(DatabaseError, match="lost"):
        transport.send("GET", f"{server.url}/Patient/p1")
    assert len(server.requests) == 1
    assert transport.send("GET", f"{server.url}/Patient/p1").body == GOOD
    transport.close()
