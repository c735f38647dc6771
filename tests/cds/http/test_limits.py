"""Tests, over real HTTP, how the bedside door meets what is too large, too slow, packed, or at the wrong place."""

import gzip
import threading

import pytest
import requests
from tests.cds.http.test_audit import details
from tests.waiting import until

from wardround.cds.exchange import Answer
from wardround.cds.http import app, body, protocol
from wardround.cds.http.body import LARGEST

SERVICE = "/cds-services/sepsis-risk"
HEAD = f"POST {SERVICE} HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"


def is_outcome(answer):
    outcome = answer.json()
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    return outcome["resourceType"] == "OperationOutcome" and outcome["issue"][0]["severity"] == "error"


def read_all(connection):
    parts = []
    while part := connection.recv(65_536):
        parts.append(part)
    return b"".join(parts)


@pytest.fixture
def served(unguarded):
    return unguarded


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", "/", 404, None),
        ("GET", "/cds-services/", 404, None),
        ("POST", f"{SERVICE}/", 404, None),
        ("POST", f"{SERVICE}/feedback/more", 404, None),
        ("GET", "/cds-discovery", 404, None),
        ("POST", "/cds-services", 405, {"GET", "HEAD"}),
        ("GET", SERVICE, 405, {"POST"}),
        ("PUT", SERVICE, 405, {"POST"}),
        ("DELETE", f"{SERVICE}/feedback", 405, {"POST"}),
        ("POST", "/health", 405, {"GET", "HEAD"}),
        ("OPTIONS", SERVICE, 405, {"POST"}),
    ],
)
def test_a_wrong_place_or_method_is_an_outcome(served, method, path, status, allowed):
    answer = requests.request(method, f"{served.url}{path}", timeout=30)
    assert answer.status_code == status
    assert is_outcome(answer)
    if allowed:
        assert set(answer.headers["Allow"].split(", ")) == allowed
    assert served.asked == []


def test_a_model_card_is_a_page_for_browsers_which_have_no_token(serve, caller, listed):
    page = Answer(200, b"<!doctype html>", headers={"Content-Type": "text/html; charset=utf-8"})
    served = serve(lambda _request: page, issuers=[listed(caller)])
    answer = requests.get(f"{served.url}/model-cards/sepsis/3.0.0-4be11de2a70c", timeout=30)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.text == "<!doctype html>"
    assert served.asked[0].path == "/model-cards/sepsis/3.0.0-4be11de2a70c"
    assert not (served.folder / "audit").exists()


def test_a_head_has_the_headers_of_a_get(served):
    answer = requests.head(f"{served.url}/cds-services", timeout=30)
    assert (answer.status_code, answer.content) == (200, b"")
    assert served.asked[0].method == "GET"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": ""},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "br"},
    ],
)
def test_another_type_and_a_packed_body_are_refused(served, headers):
    answer = served.call(headers=headers)
    assert answer.status_code == 415
    assert is_outcome(answer)
    assert answer.headers["Accept-Encoding" if "Content-Encoding" in headers else "Accept"]
    assert served.asked == []


def test_a_type_with_a_charset_and_an_encoding_that_changes_nothing_are_taken(served):
    headers = {"Content-Type": "application/json; charset=utf-8", "Content-Encoding": "identity"}
    assert served.call(headers=headers).status_code == 200


def test_a_bomb_of_gzip_is_never_unpacked(served):
    bomb = gzip.compress(bytes(LARGEST * 4))
    answer = served.call(data=bomb, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415
    assert served.asked == []


def test_a_body_of_the_largest_size_is_taken_and_one_byte_more_is_not(served):
    assert served.call(data=b" " * LARGEST).status_code == 200
    assert len(served.asked[0].body) == LARGEST
    answer = served.call(data=b" " * (LARGEST + 1))
    assert answer.status_code == 413
    assert is_outcome(answer)
    assert len(served.asked) == 1


def test_a_body_without_a_length_is_counted_while_it_comes(served, raw):
    with raw(served.url) as connection:
        connection.sendall(f"{HEAD}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode())
        chunk = b"100000\r\n" + bytes(2**20) + b"\r\n"
        for _ in range(5):
            connection.sendall(chunk)
        connection.sendall(b"1\r\n \r\n0\r\n\r\n")
        assert read_all(connection).startswith(b"HTTP/1.1 413 ")
    assert served.asked == []


def test_a_body_that_comes_too_slowly_is_given_up(serve, raw, monkeypatch):
    monkeypatch.setattr(body, "SECONDS", 0.2)
    served = serve()
    with raw(served.url) as connection:
        connection.sendall(f"{HEAD}Content-Length: 10\r\n\r\n{{".encode())
        said = read_all(connection)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"OperationOutcome" in said
    assert served.asked == []


@pytest.mark.parametrize("begun", [b"", b"POST /cds", f"{HEAD}X-More: ".encode()], ids=["nothing", "a line", "headers"])
def test_a_request_that_never_comes_whole_loses_its_connection(serve, raw, monkeypatch, begun):
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 0.2)
    served = serve()
    with raw(served.url) as connection:
        connection.sendall(begun)
        assert read_all(connection) == b""


def test_a_refused_body_that_never_ends_loses_its_connection(serve, raw, monkeypatch):
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 1.5)
    served = serve()
    with raw(served.url) as connection:
        connection.sendall(f"{HEAD}Content-Length: 99999999\r\n\r\n{{".encode())
        assert read_all(connection).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "sent",
    [
        b"no HTTP at all\r\n\r\n",
        f"{HEAD}Content-Length: many\r\n\r\n".encode(),
        f"{HEAD}X-Large: {'x' * 70_000}\r\n\r\n".encode(),
        f"POST {SERVICE}?{'x' * 70_000} HTTP/1.1\r\n\r\n".encode(),
    ],
    ids=["text", "length", "header", "URL"],
)
def test_what_is_not_http_is_an_outcome_too(served, raw, sent):
    with raw(served.url) as connection:
        connection.sendall(sent)
        said = read_all(connection)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert b'"resourceType":"OperationOutcome"' in said
    assert served.asked == []


def test_what_breaks_off_is_no_call(serve, raw):
    served = serve()
    with raw(served.url) as connection:
        connection.sendall(f"{HEAD}Content-Length: 10\r\n\r\n{{".encode())
    until((served.folder / "audit").exists)  # until it has noticed
    assert served.asked == []


def test_a_fault_of_the_program_is_a_500_without_its_message(serve, caplog):
    def broken(_request):
        raise ValueError("ZZTOPSECRET")

    served = serve(broken)
    answer = served.call()
    assert answer.status_code == 500
    assert is_outcome(answer)
    assert "ZZTOPSECRET" not in answer.text + caplog.text
    assert "ValueError in broken, line" in caplog.text


def test_a_fault_beside_the_door_is_a_500_without_its_message_too(serve, caplog):
    served = serve()
    (served.folder / "counts" / "other.json").write_text("ZZTOPSECRET")
    answer = requests.get(f"{served.url}/metrics", timeout=30)
    assert (answer.status_code, is_outcome(answer)) == (500, True)
    until(lambda: "JSONDecodeError in" in caplog.text)  # it is logged after the answer
    assert "ZZTOPSECRET" not in answer.text + caplog.text
    assert "Traceback" not in caplog.text


def test_an_answer_that_takes_too_long_is_given_up_and_others_are_answered_meanwhile(serve, monkeypatch):
    monkeypatch.setattr(app, "ANSWER_SECONDS", 0.3)
    end, known = threading.Event(), []

    def answer(request):
        if request.body == b"slow":
            end.wait()
            known.append(request.given_up())
        return Answer(200, b'{"cards":[]}')

    served = serve(answer)
    try:
        slow = served.call(data=b"slow")
        assert (slow.status_code, slow.headers["Retry-After"], is_outcome(slow)) == (503, "1", True)
        monkeypatch.setattr(app, "ANSWER_SECONDS", 60)
        assert served.call().status_code == 200
    finally:
        end.set()
    # Whoever still computes it learns that nobody waits.
    until(lambda: known == [True])


def test_a_call_that_takes_too_long_is_counted_and_audited_as_given_up_once(serve, monkeypatch, door):
    monkeypatch.setattr(app, "ANSWER_SECONDS", 0.3)
    end = threading.Event()

    def answer(request):
        end.wait()
        return door.answer(request)

    served = serve(answer, services=door.services)
    try:
        assert served.call().status_code == 503
    finally:
        end.set()
    until(lambda: len(served.audit()) == 1)
    said = details(served.audit()[0])
    assert (said["outcome"], said["service"], said["hook"]) == ("given_up", "sepsis-risk", "patient-view")
    calls = [line for line in served.metrics().splitlines() if line.startswith("wardround_cds_calls_total")]
    assert calls == ['wardround_cds_calls_total{service="sepsis-risk",outcome="given_up",band=""} 1']


def test_the_door_learns_that_the_client_has_hung_up(serve, raw):
    begun, known = threading.Event(), []

    def answer(request):
        begun.set()
        until(request.given_up)
        known.append(request.body)
        return Answer(200, b'{"cards":[]}')

    served = serve(answer)
    with raw(served.url) as connection:
        connection.sendall(f"{HEAD}Content-Length: 2\r\n\r\n{{}}".encode())
        assert begun.wait(60)
        assert not served.asked[0].given_up()
    until(lambda: known == [b"{}"])


def test_more_calls_than_a_worker_can_hold_are_turned_away(serve, monkeypatch):
    monkeypatch.setattr(app, "MOST", 2)
    end, begun = threading.Event(), threading.Semaphore(0)

    def answer(_request):
        begun.release()
        end.wait()
        return Answer(200, b'{"cards":[]}')

    served = serve(answer)
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(served.call().status_code)) for _ in range(2)]
    try:
        for thread in threads:
            thread.start()
            assert begun.acquire(timeout=60)
        turned_away = served.call()
        assert (turned_away.status_code, turned_away.headers["Retry-After"]) == (503, "1")
        assert is_outcome(turned_away)
        assert requests.get(f"{served.url}/model-cards/sepsis/1", timeout=30).status_code == 503
        # Who asks whether it lives is still told.
        assert requests.get(f"{served.url}/health", timeout=30).status_code == 200
    finally:
        end.set()
    for thread in threads:
        thread.join()
    assert seen == [200, 200]


ORIGIN = "https://sandbox.example.org"
ASKS = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}


def test_a_listed_web_page_asks_without_a_token_and_may_call(serve, caller, listed):
    served = serve(issuers=[listed(caller)], origins=(ORIGIN,))
    asks = {**ASKS, "Access-Control-Request-Headers": "authorization,content-type"}
    preflight = requests.options(f"{served.url}{SERVICE}", headers=asks, timeout=30)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert {"GET", "POST"} <= set(preflight.headers["Access-Control-Allow-Methods"].split(", "))
    assert "authorization" in preflight.headers["Access-Control-Allow-Headers"].lower()
    assert served.call(caller.token(), headers={"Origin": ORIGIN}).headers["Access-Control-Allow-Origin"] == ORIGIN
    # A page can read why it was refused.
    refused = served.call(headers={"Origin": ORIGIN})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, ORIGIN)


def test_another_web_page_may_not_call_and_by_default_none_may(serve):
    listing, silent = serve(origins=("https://other.example.org",)), serve()
    refused = requests.options(f"{listing.url}{SERVICE}", headers=ASKS, timeout=30)
    assert (refused.status_code, is_outcome(refused)) == (400, True)
    assert requests.options(f"{silent.url}{SERVICE}", headers=ASKS, timeout=30).status_code == 405
    for served in (listing, silent):
        assert "Access-Control-Allow-Origin" not in served.call(headers={"Origin": ORIGIN}).headers
