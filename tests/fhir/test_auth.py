"""Tests that tokens are requested once per lifetime, renewed in time, retried once, and never shown."""

import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from wardround.errors import FhirError, FhirRefused, FhirUnreachable
from wardround.fhir.auth import MOST_SIGN_INS, SIGN_INS, Token, _SignIns, _Tokens
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.patience import Patience
from wardround.fhir.sign_in import BasicPassword, BearerToken, ClientSecret, SignedAssertion, SignIn
from wardround.fhir.transport import ATTEMPTS, Transport

GOOD = {"resourceType": "Patient", "id": "p1"}
KEY = ec.generate_private_key(ec.SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def token(number: object = 1, **answer: object) -> dict[str, object]:
    return {"access_token": f"access-{number}", "token_type": "Bearer", "expires_in": 300, **answer}


@pytest.fixture
def ways(server) -> dict[str, SignIn]:
    """Returns each way of getting tokens from the scripted server."""
    url = f"{server.url}/token"
    return {
        "smart": SignedAssertion("me", KEY, "k1", url, "system/*.rs"),
        "basic": ClientSecret("me+you", "a b%", url),
        "post": ClientSecret("me", "a b%", url, sent_as="post"),
    }


def opened(server, sign_in: SignIn | None) -> Transport:
    return Transport(FhirEndpoint(server.url, sign_in), patience=Patience(20, pause=lambda _seconds: None))


def ask(transport: Transport) -> None:
    assert transport.send("GET", f"{transport._source.base_url}/Patient/p1").body == GOOD


def answering(server, reply, **tokens):
    """Makes the server issue numbered tokens, and return a Patient only for the newest token."""
    given: list[int] = []

    def answer(request):
        if request.path == "/fhir/token":
            given.append(1)
            return reply(token(len(given), **tokens))
        newest = f"Bearer access-{len(given)}"
        return reply(GOOD) if request.headers.get("Authorization") == newest else reply(status=401)

    server.answer = answer
    return given


def test_a_password_goes_with_every_request(server, reply) -> None:
    server.answer = lambda _request: reply(GOOD)
    ask(opened(server, BasicPassword("me", "pässword")))
    assert server.requests[0].headers["Authorization"] == "Basic bWU6cMOkc3N3b3Jk"


def test_requests_without_a_sign_in_send_nothing_from_netrc(server, reply, tmp_path, monkeypatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.answer = lambda _request: reply(GOOD)
    ask(opened(server, None))
    assert "Authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("way", "form", "header"),
    [
        ("basic", {}, "Basic bWUlMkJ5b3U6YStiJTI1"),  # me%2Byou:a+b%25, form-encoded as RFC 6749 has it
        ("post", {"client_id": ["me"], "client_secret": ["a b%"]}, None),
    ],
)
def test_a_client_secret_is_sent_in_the_header_or_the_form(server, reply, ways, way, form, header) -> None:
    answering(server, reply)
    ask(opened(server, ways[way]))
    asked = server.requests[0]
    assert asked.form == {"grant_type": ["client_credentials"], **form}
    assert asked.headers.get("Authorization") == header


def test_an_assertion_is_sent_as_smart_requires(server, reply, ways) -> None:
    answering(server, reply)
    ask(opened(server, ways["smart"]))
    form = server.requests[0].form
    assert form.keys() == {"grant_type", "scope", "client_assertion_type", "client_assertion"}
    assert form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    assert form["scope"] == ["system/*.rs"]


def test_clients_and_threads_of_a_process_share_one_token(server, reply, ways) -> None:
    given = answering(server, reply)
    transports = [opened(server, ways["smart"]) for _ in range(4)]
    start = Barrier(8)

    def work(number: int) -> None:
        start.wait()
        for _ in range(3):
            ask(transports[number % 4])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(given) == 1


def test_two_sign_ins_to_one_server_have_separate_tokens(server, reply, ways) -> None:
    given = answering(server, reply)
    for way in ways.values():
        ask(opened(server, way))
    assert len(given) == len(ways)


def test_a_token_is_renewed_before_its_end() -> None:
    now = [0.0]
    tokens, given = _Tokens(clock=lambda: now[0]), iter("abcd")

    def at(seconds: float, lifetime: float) -> str:
        now[0] = seconds
        return tokens.header(lambda: Token(next(given), lifetime)).removeprefix("Bearer ")

    assert [at(0, 300), at(269, 300), at(270, 300), at(539, 20), at(540, 20), at(557, 20), at(558, 20)] == list(
        "aabbccd"
    )


def source(number: int = 0, **changes: object) -> FhirEndpoint:
    given = {"base_url": "https://fhir.test/r4", "sign_in": ClientSecret("me", f"secret {number}"), **changes}
    return FhirEndpoint(**given)  # type: ignore[arg-type]


OTHERS = {
    "secret": source(1),
    "way": source(sign_in=SignedAssertion("me", KEY)),
    "scope": source(sign_in=ClientSecret("me", "secret 0", scope="system/*.read")),
    "server": source(base_url="https://fhir.test/r5"),
    "authority": source(ca_file="ca.pem"),
    "proxy": source(proxy="http://proxy.test"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_different_sign_in_or_server_shares_no_token(other: str) -> None:
    sign_ins = _SignIns()
    assert sign_ins.of(source()) is sign_ins.of(source(page_size=7))
    assert sign_ins.of(source()) is not sign_ins.of(OTHERS[other])


def test_only_the_most_recent_sign_ins_of_a_process_are_kept() -> None:
    sign_ins = _SignIns()
    used, unused = sign_ins.of(source(0)), sign_ins.of(source(1))
    for number in range(2, 2 * MOST_SIGN_INS):
        sign_ins.of(source(number))
        assert sign_ins.of(source(0)) is used, "the last use counts"
    assert len(sign_ins._tokens) == MOST_SIGN_INS
    assert sign_ins.of(source(1)) is not unused


def test_expired_tokens_are_dropped_at_the_next_sign_in() -> None:
    sign_ins = _SignIns()
    for number, lifetime in enumerate([1e-9, 300.0]):
        sign_ins.of(source(number)).header(lambda lifetime=lifetime: Token("access", lifetime))
    sign_ins.of(source(2))
    sign_ins.of(source(3))
    assert {key[1] for key in sign_ins._tokens} == {source(number).sign_in for number in (1, 2, 3)}


def test_tests_share_no_tokens() -> None:
    assert SIGN_INS._tokens == {}


def test_a_token_refused_in_mid_run_is_replaced_once_and_for_all_threads(server, reply, ways) -> None:
    given = answering(server, reply)
    transport = opened(server, ways["post"])
    ask(transport)
    server_side = server.answer
    given.append(1)  # the server forgets the token that it gave
    start = Barrier(4)

    def work(_number: int) -> None:
        start.wait()
        ask(transport)

    server.answer = server_side
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert [request.path for request in server.requests].count("/fhir/token") == 2


def test_a_server_that_refuses_the_fresh_token_too_is_not_asked_again(server, reply, ways) -> None:
    server.answer = lambda request: reply(token()) if request.path == "/fhir/token" else reply(status=401)
    with pytest.raises(FhirRefused, match=r"/Patient/p1: answered 401"):
        ask(opened(server, ways["post"]))
    assert [request.path for request in server.requests] == ["/fhir/token", "/fhir/Patient/p1"] * 2


def test_a_token_that_is_refused_is_read_again_from_its_file(server, reply, tmp_path) -> None:
    """Whoever renews it replaces the file; a door runs for weeks."""
    file = tmp_path / "token"
    file.write_text("first\n")
    transport = opened(server, BearerToken("first", file))

    def accepting(value: str) -> Any:
        return lambda one: reply(GOOD) if one.headers["Authorization"] == f"Bearer {value}" else reply(status=401)

    server.answer = accepting("first")
    ask(transport)
    server.answer = accepting("second")
    with pytest.raises(FhirRefused, match=r"/Patient/p1: answered 401"):
        ask(transport)
    file.write_text("second\n")
    ask(transport)
    asked = len(server.requests)
    ask(transport)
    assert len(server.requests) == asked + 1
    file.unlink()
    server.answer = accepting("third")
    with pytest.raises(FhirError, match="does not exist, expected a file with a secret"):
        ask(transport)


def test_a_403_does_not_renew_the_token(server, reply, ways) -> None:
    server.answer = lambda request: reply(token()) if request.path == "/fhir/token" else reply(status=403)
    with pytest.raises(FhirRefused, match="answered 403"):
        ask(opened(server, ways["post"]))
    assert len(server.requests) == 2


def test_each_request_for_a_token_has_a_new_assertion(server, reply, ways) -> None:
    """The endpoint may have seen the assertion whose answer was lost, and accepts each assertion only once."""
    server.replies(reply(status=503), reply(cut=True), reply(token()), reply(GOOD))
    ask(opened(server, ways["smart"]))
    assertions = {request.form["client_assertion"][0] for request in server.requests[:3]}
    assert len(assertions) == 3


def test_a_request_that_must_not_be_repeated_waits_for_its_token(server, reply, ways) -> None:
    server.replies(reply(status=503), reply(token()), reply(GOOD))
    opened(server, ways["post"]).send("POST", f"{server.url}/Patient", json=GOOD, repeat=False)
    assert [request.path for request in server.requests] == ["/fhir/token", "/fhir/token", "/fhir/Patient"]


@pytest.mark.parametrize(
    ("status", "answer", "message"),
    [
        (400, {"error": "invalid_client"}, r"\(invalid_client\), expected one; check the client id"),
        (401, {"error": "invalid_client"}, r"\(invalid_client\), expected one; check the client id"),
        (400, {"error": "invalid_scope"}, r"\(invalid_scope\), expected one; check the scope"),
        (400, {"error": "unauthorized_client"}, r".*allow this client the client credentials grant"),
        (401, {"error": "me-s3cret"}, r"\(401\), expected one; check the client id"),
        (403, b"s3cret", r"\(403\), expected one; check the client id"),
    ],
)
def test_a_token_endpoint_that_refuses_is_named_with_the_rule(server, reply, ways, status, answer, message) -> None:
    server.answer = lambda _request: reply(answer, status=status)
    with pytest.raises(FhirRefused, match=f"/fhir/token: refused to issue a token {message}") as raised:
        ask(opened(server, ways["post"]))
    assert "s3cret" not in str(raised.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"status": 404}, "answered 404 without a token"),
        ({"status": 302, "headers": {"Location": "https://elsewhere.example.org"}}, "answered 302 without a token"),
        ({"status": 500}, "answered 500 without a token"),
        ({"body": b"<html>access-1"}, "answered 200 without a token"),
        ({"body": ["access-1"]}, "answered 200 without a token"),
        ({"body": token(access_token="")}, "answered 200 without a token"),
        ({"body": token(access_token="access-1\r\nX: y")}, "answered 200 without a token"),
        ({"body": token(token_type="mac")}, "a token that is not a bearer token"),
        ({"body": token(token_type=None)}, "a token that is not a bearer token"),
        ({"body": token(expires_in="soon access-1")}, "without a lifetime"),
        ({"body": token(expires_in=-5)}, "without a lifetime"),
    ],
)
def test_an_unusable_answer_of_a_token_endpoint_is_reported(server, reply, ways, answer, message) -> None:
    server.answer = lambda _request: reply(**answer)
    with pytest.raises(FhirError, match=f"/fhir/token: .*{message}") as raised:
        ask(opened(server, ways["post"]))
    assert not isinstance(raised.value, FhirRefused | FhirUnreachable)
    assert "access-1" not in str(raised.value)


def test_a_token_endpoint_that_does_not_answer_is_named_in_the_error(server, reply, ways) -> None:
    server.answer = lambda _request: reply(status=503)
    with pytest.raises(FhirUnreachable, match="/fhir/token: answered 503"):
        ask(opened(server, ways["post"]))
    assert len(server.requests) == ATTEMPTS


@pytest.mark.parametrize("expires_in", ["300", 300.0, None])
def test_a_lifetime_is_a_number_in_any_form_or_missing(server, reply, ways, expires_in) -> None:
    given = answering(server, reply, expires_in=expires_in)
    transport = opened(server, ways["post"])
    ask(transport)
    ask(transport)
    assert len(given) == 1


def test_the_token_endpoint_is_found_once_where_smart_puts_it(server, reply) -> None:
    def answer(request):
        if request.path == "/fhir/.well-known/smart-configuration":
            return reply({"token_endpoint": f"{server.url}/auth/token"})
        return reply(token(expires_in=1e-9)) if request.path == "/fhir/auth/token" else reply(GOOD)

    server.answer = answer
    transport = opened(server, SignedAssertion("me", KEY))
    ask(transport)
    ask(transport)
    paths = [request.path for request in server.requests]
    assert paths.count("/fhir/.well-known/smart-configuration") == 1
    assert paths.count("/fhir/auth/token") == 2
    assert "Authorization" not in server.requests[0].headers


def test_a_token_endpoint_that_moved_is_discovered_again(server, reply) -> None:
    place = ["old"]

    def answer(request):
        if request.path.endswith("/smart-configuration"):
            return reply({"token_endpoint": f"{server.url}/{place[0]}/token"})
        if request.path.endswith("/token"):
            return reply(token(expires_in=1e-9)) if place[0] in request.path else reply(status=404)
        return reply(GOOD)

    server.answer = answer
    transport = opened(server, ClientSecret("me", "secret"))
    ask(transport)
    place[0] = "new"
    with pytest.raises(FhirError, match="/old/token: answered 404"):
        ask(transport)
    ask(transport)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"status": 404}, "answered 404 without a token_endpoint, expected one; set the token URL"),
        ({"body": {}}, "answered 200 without a token_endpoint"),
        ({"body": {"token_endpoint": "http://elsewhere.example.org/token"}}, "token URL: not https"),
    ],
)
def test_a_server_that_does_not_say_where_its_tokens_are_is_named(server, reply, answer, message) -> None:
    server.answer = lambda _request: reply(**answer)
    with pytest.raises(FhirError, match=f"/.well-known/smart-configuration: {message}"):
        ask(opened(server, ClientSecret("me", "secret")))


def test_a_wrong_key_is_found_before_anything_is_asked(server) -> None:
    with pytest.raises(FhirError, match="private key of client me: cannot be read"):
        opened(server, SignedAssertion("me", "secret"))
    assert server.requests == []


@pytest.mark.parametrize("way", ["smart", "basic", "post"])
@pytest.mark.parametrize("ends", [200, 401, 404, 503])
def test_no_secret_assertion_or_token_is_logged_or_shown(server, reply, ways, way, ends, caplog, capfd) -> None:
    caplog.set_level(logging.DEBUG)
    server.answer = lambda request: reply(token()) if request.path == "/fhir/token" else reply(GOOD, status=ends)
    transport = opened(server, ways[way])
    said = [repr(transport), repr(transport.__dict__), repr(ways[way]), repr(Token("access-1", 3))]
    try:
        ask(transport)
    except FhirError as error:
        said += [str(error), repr(error), str(error.__cause__)]
    printed = capfd.readouterr()
    everything = "\n".join([*said, caplog.text, printed.out, printed.err])
    form = parse_qs(server.requests[0].body.decode())
    secrets = ["access-1", "a b%", "a+b%25", KEY[40:80], *form.get("client_assertion", [])]
    assert [secret for secret in secrets if secret in everything] == []
