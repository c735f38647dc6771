"""Tests, over real HTTP, which tokens open the bedside door (the list in CDS Hooks' section on security, and more)."""

import base64
import hashlib
import hmac
import logging
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import orjson
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select
from tests.cds.http.caller import BASE, CALLED, Caller, public_jwk
from tests.loopback import serving

from wardround.adapters.database.database import opened
from wardround.adapters.database.tables import USED_TOKENS
from wardround.cds.http import app
from wardround.cds.tokens import key_sets
from wardround.cds.tokens.key_sets import LARGEST, PAUSE, FetchedKeys, NoKeys
from wardround.cds.tokens.used_tokens import UsedTokens
from wardround.demo.fhir_server.certificates import throw_away_certificate
from wardround.errors import DatabaseError
from wardround.settings import database_in
from wardround.spec.issuers import Issuer


def diagnostics(answer: requests.Response) -> str:
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    return outcome["issue"][0]["diagnostics"]


def part(content: dict[str, object]) -> bytes:
    return base64.urlsafe_b64encode(orjson.dumps(content)).rstrip(b"=")


def unsigned(caller: Caller) -> str:
    return (part({"alg": "none", "typ": "JWT", "kid": caller.kid}) + b"." + part(caller.claims()) + b".").decode()


def signed_with_the_public_key(caller: Caller) -> str:
    """HMAC with what everybody knows: a verifier that believes the header would accept it."""
    signing = part({"alg": "HS256", "typ": "JWT", "kid": caller.kid}) + b"." + part(caller.claims())
    pem = caller.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    digest = hmac.digest(pem, signing, hashlib.sha256)
    return (signing + b"." + base64.urlsafe_b64encode(digest).rstrip(b"=")).decode()


def test_a_right_token_opens_the_door_which_learns_the_issuer(guarded, caller):
    answer = guarded.call(caller.token())
    assert (answer.status_code, answer.json()) == (200, {"cards": []})
    assert [one.issuer for one in guarded.asked] == [caller.issuer]


def test_an_rsa_key_signs_as_recommended_or_as_its_jwk_says(serve, rsa_caller, tmp_path):
    (tmp_path / "keys.json").write_bytes(
        orjson.dumps(
            {
                "keys": [
                    public_jwk(rsa_caller.key, kid="silent"),
                    public_jwk(rsa_caller.key, kid="says RS256", alg="RS256"),
                    public_jwk(ec.generate_private_key(ec.SECP256R1()), kid="another curve"),
                ]
            }
        )
    )
    served = serve(issuers=[Issuer(issuer=rsa_caller.issuer, jwks="keys.json")])

    def status(kid: str, algorithm: str) -> int:
        token = jwt.encode(rsa_caller.claims(), rsa_caller.key, algorithm, headers={"kid": kid})
        return served.call(token).status_code

    assert [status("silent", one) for one in ("RS384", "RS256", "RS512", "PS384")] == [200, 401, 401, 401]
    assert [status("says RS256", one) for one in ("RS256", "RS384")] == [200, 401]
    # An RSA signature that names a key of an elliptic curve.
    assert status("another curve", "RS256") == 401


def test_while_keys_are_replaced_tokens_of_both_are_accepted(serve, tmp_path):
    """A file of keys is read when the service starts; with the new key alone, the old one opens nothing."""
    old, new = Caller(kid="old"), Caller(kid="new")
    both = {"keys": [*old.keys["keys"], *new.keys["keys"]]}
    for name, keys in {"both.json": both, "new.json": new.keys}.items():
        (tmp_path / name).write_bytes(orjson.dumps(keys))
    listed = [Issuer(issuer=old.issuer, jwks=name) for name in ("both.json", "new.json")]
    during, after = (serve(issuers=[one]) for one in listed)
    assert [during.call(one.token()).status_code for one in (old, new)] == [200, 200]
    assert [after.call(one.token()).status_code for one in (old, new)] == [401, 200]


def test_a_p_256_key_signs_es256(serve, tmp_path):
    caller = Caller(key=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", kid="p256")
    (tmp_path / "keys.json").write_bytes(orjson.dumps(caller.keys))
    served = serve(issuers=[Issuer(issuer=caller.issuer, jwks="keys.json")])
    assert served.call(caller.token()).status_code == 200


@pytest.mark.parametrize("forged", [unsigned, signed_with_the_public_key], ids=["none", "HS256"])
def test_a_token_that_anybody_can_make_is_refused(guarded, caller, forged):
    answer = guarded.call(forged(caller))
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "expected ES384" in diagnostics(answer)
    assert guarded.asked == []


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"aud": "https://cds.example.org/wardround/cds-services/mortality-risk"}, 401),
        ({"aud": "http://127.0.0.1/cds-services/sepsis-risk"}, 401),
        ({"aud": ["https://elsewhere.example.org", CALLED]}, 200),
        ({"aud": []}, 401),
        ({"aud": 7}, 401),
        ({"aud": f"{CALLED}/feedback"}, 401),
        ({"aud": "sand_man"}, 200),
        ({"exp": 1}, 401),
        ({"iss": "https://stranger.example.org"}, 403),
        ({"iss": ["https://ehr.example.org/fhir"]}, 403),
        ({"jti": ""}, 401),
        ({"jti": 7}, 401),
        ({"jti": "a\0b"}, 401),
        ({"jti": "half \ud800"}, 401),
        ({"jti": "x" * 1_001}, 401),
        ({"exp": "soon"}, 401),
        ({"exp": float("inf")}, 401),
        ({"iat": True}, 401),
        ({"iat": []}, 401),
        *(({name: None}, 403 if name == "iss" else 401) for name in ("iss", "aud", "exp", "iat", "jti")),
    ],
)
def test_claims_are_held_to_what_cds_hooks_says(guarded, caller, changes, status):
    """`sand_man` is what an EHR of the report meld 11 names; exp, jti and iat are of cds-hooks/docs 188."""
    answer = guarded.call(caller.token(**changes))
    assert answer.status_code == status
    assert len(guarded.asked) == (status == 200)


@pytest.mark.parametrize(
    ("iat", "exp", "nbf", "status"),
    [
        (0.5, 300, None, 200),  # the public sandbox rounds
        (300, 600, None, 401),
        (-600, -120, None, 401),
        (-600, -30, None, 200),  # within the leeway
        (0, 3_600, None, 200),
        (0, 3_700, None, 401),
        (10, 5, None, 401),
        (0, 300, -300, 200),  # as Epic's
        (0, 300, 300, 401),
    ],
)
def test_times_are_compared_with_a_minute_of_leeway_and_an_hour_at_most(guarded, caller, iat, exp, nbf, status):
    now = time.time()
    token = caller.token(iat=now + iat, exp=now + exp, nbf=None if nbf is None else now + nbf)
    assert guarded.call(token).status_code == status


def test_the_audience_follows_the_base_url_and_the_path_and_never_a_header(guarded, caller):
    feedback = "/cds-services/sepsis-risk/feedback"
    assert guarded.call(caller.token(aud=f"{BASE}{feedback}"), path=feedback).status_code == 200
    assert guarded.call(caller.token(), path=feedback).status_code == 401
    forged = {"Host": "evil.example.org", "X-Forwarded-Host": "evil.example.org", "Forwarded": "host=evil.example.org"}
    aud = "https://evil.example.org/cds-services/sepsis-risk"
    assert guarded.call(caller.token(aud=aud), headers=forged).status_code == 401
    got = requests.get(
        f"{guarded.url}/cds-services",
        headers={"Authorization": f"Bearer {caller.token(aud=f'{BASE}/cds-services')}"},
        timeout=30,
    )
    assert got.status_code == 200


def test_a_client_that_asks_for_the_services_without_a_token_first_learns_that_it_needs_one(guarded, caller):
    """As one did in the report legacy-sandbox 82, with the audience of another service thereafter."""

    def discovered(aud: str | None = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {caller.token(aud=aud)}"} if aud else {}
        return requests.get(f"{guarded.url}/cds-services", headers=headers, timeout=30)

    first = discovered()
    assert (first.status_code, first.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "a signed token is required" in diagnostics(first)
    assert "audience" in diagnostics(discovered(CALLED))
    assert guarded.asked == []
    assert discovered(f"{BASE}/cds-services").status_code == 200


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer a.b.c", "Bearer " + "a" * 9_000]
)
def test_what_is_no_token_is_a_401_with_an_outcome(guarded, header):
    headers = {} if header is None else {"Authorization": header}
    answer = guarded.call(headers=headers)
    assert answer.status_code == 401
    assert diagnostics(answer)


def test_a_token_of_another_key_and_one_without_a_kid_are_refused(guarded, caller):
    other = Caller(kid=caller.kid)
    assert guarded.call(other.token()).status_code == 401
    assert guarded.call(caller.token(header={"kid": "unknown"})).status_code == 401
    assert guarded.call(jwt.encode(caller.claims(), caller.key, "ES384")).status_code == 401


def test_a_changed_claim_breaks_the_signature(guarded, caller):
    header, _, signature = caller.token().split(".")
    assert guarded.call(f"{header}.{part(caller.claims()).decode()}.{signature}").status_code == 401


def test_an_encoding_that_asks_for_an_unknown_extension_is_refused(guarded, caller):
    assert guarded.call(caller.token(header={"crit": ["exp"], "exp": 1})).status_code == 401


def test_a_token_is_used_once_but_two_issuers_may_choose_the_same_id(guarded, caller, rsa_caller):
    token = caller.token(jti="one")
    assert [guarded.call(token).status_code for _ in range(2)] == [200, 401]
    assert guarded.call(caller.token(jti="one")).status_code == 401
    assert guarded.call(rsa_caller.token(jti="one")).status_code == 200
    assert len(guarded.asked) == 2


def test_one_of_many_calls_at_once_with_one_token_goes_through(guarded, caller):
    token = caller.token()
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(guarded.call(token).status_code)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [200, 401, 401, 401, 401, 401]


def test_used_tokens_are_removed_after_they_have_expired(tmp_path):
    def at(minute: int) -> datetime:
        return datetime(2026, 1, 2, 5, minute, tzinfo=UTC)

    with opened(database_in(tmp_path)) as database:
        used = UsedTokens(database)
        assert used.take("caller", "first", at(5), at(0))
        assert used.take("caller", "second", at(9), at(4))
        assert not used.take("caller", "first", at(5), at(5))
        assert used.take("caller", "third", at(9), at(7))
        with database.reading() as connection:
            assert set(connection.execute(select(USED_TOKENS.c.jti)).scalars()) == {"second", "third"}


def test_tokens_that_come_together_are_each_used_once(tmp_path):
    now = datetime(2026, 1, 2, 5, tzinfo=UTC)
    with opened(database_in(tmp_path)) as database, ThreadPoolExecutor(12) as pool:
        used = UsedTokens(database)
        with database.writing():  # They wait for this, and so for each other.
            taken = [pool.submit(used.take, "caller", f"token-{number % 4}", now, now) for number in range(12)]
        assert sorted(one.result() for one in taken) == [False] * 8 + [True] * 4


def test_tokens_that_come_together_are_all_refused_while_the_database_is_locked_and_accepted_later(tmp_path):
    now = datetime(2026, 1, 2, 5, tzinfo=UTC)
    with opened(database_in(tmp_path)) as database, database.hurried(0.05) as hurried, ThreadPoolExecutor(6) as pool:
        used = UsedTokens(hurried)
        with database.writing():
            taken = [pool.submit(used.take, "caller", f"token-{number}", now, now) for number in range(6)]
            assert {type(one.exception()) for one in taken} == {DatabaseError}
        assert all(used.take("caller", f"token-{number}", now, now) for number in range(6))


def test_a_database_that_cannot_be_used_refuses_for_now_and_is_not_ready(serve, caller, listed, tmp_path):
    served = serve(issuers=[listed(caller)])
    assert requests.get(f"{served.url}/ready", timeout=30).status_code == 200
    with opened(database_in(tmp_path)) as database, database.writing() as connection:
        connection.exec_driver_sql("drop table used_tokens")
    # A fault of the installation: the door stays closed, and says nothing about it to the caller.
    assert served.call(caller.token()).status_code == 500
    assert served.asked == []
    assert requests.get(f"{served.url}/ready", timeout=30).status_code == 503


def test_a_database_that_is_locked_refuses_for_now_and_no_longer(serve, caller, listed, tmp_path, monkeypatch):
    monkeypatch.setattr(app, "ANSWER_SECONDS", 0.2)
    served = serve(issuers=[listed(caller)])
    with opened(database_in(tmp_path)) as database, database.writing():
        answer = served.call(caller.token())
        assert (answer.status_code, answer.headers["Retry-After"], served.asked) == (503, "1", [])
    monkeypatch.setattr(app, "ANSWER_SECONDS", 60)
    assert served.call(caller.token()).status_code == 200


def test_refusals_while_used_tokens_cannot_be_looked_up_are_logged_once(serve, caller, listed, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    with opened(database_in(tmp_path)) as database, database.hurried(0.05) as hurried:
        served = serve(issuers=[listed(caller)], used_tokens=hurried)
        with database.writing():
            for _ in range(2):
                answer = served.call(caller.token())
                assert (answer.status_code, answer.headers["Retry-After"], served.asked) == (503, "30", [])
        for _ in range(2):
            assert served.call(caller.token()).status_code == 200
    began, ended = [one.getMessage() for one in caplog.records if one.name.startswith("wardround")]
    assert began.startswith("the database (used tokens) cannot be used: ")
    assert ended == "the database (used tokens) can be used again; meanwhile, 2 requests were refused"


def test_a_jku_other_than_the_listed_one_is_never_fetched(serve, caller):
    fetched: list[str] = []

    def answer(line):
        fetched.append(line.path)
        line.say(caller.keys)

    with serving(answer) as url:
        served = serve(issuers=[Issuer(issuer=caller.issuer, jku=f"{url}/jwks.json")])
        assert served.call(caller.token(header={"jku": f"{url}/evil.json"})).status_code == 403
        assert fetched == []
        assert served.call(caller.token(header={"jku": f"{url}/jwks.json"})).status_code == 200
        assert served.call(caller.token()).status_code == 200
        assert fetched == ["/fhir/jwks.json"]


def test_the_jku_of_an_issuer_with_a_file_is_not_looked_at(guarded, caller):
    """The public sandbox names one on the internet."""
    assert guarded.call(caller.token(header={"jku": "https://127.0.0.1:1/jwks.json"})).status_code == 200


def test_an_issuer_cannot_use_the_keys_of_another(guarded, caller, rsa_caller):
    assert guarded.call(caller.token(iss=rsa_caller.issuer)).status_code == 401


def test_keys_that_cannot_be_fetched_refuse_for_now(serve, caller):
    with serving(lambda line: line.say(b"", 500)) as url:
        served = serve(issuers=[Issuer(issuer=caller.issuer, jku=f"{url}/jwks.json")])
        answer = served.call(caller.token())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert diagnostics(answer)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_an_unknown_key_is_fetched_once_a_minute_whatever_comes(caller):
    clock, fetched = Clock(), []
    current = [caller]

    def answer(line):
        fetched.append(line.path)
        line.say({"keys": [one.keys["keys"][0] for one in current]})

    with serving(answer) as url:
        keys = FetchedKeys(url, clock)
        assert keys.key(caller.kid) is not None
        assert [keys.key(f"unknown {number}") for number in range(5)] == [None] * 5
        assert len(fetched) == 1
        # The issuer has a new key.
        current.append(Caller(kid="new"))
        clock.now += PAUSE - 1
        assert keys.key("new") is None
        clock.now += 1
        assert keys.key("new") is not None
        assert len(fetched) == 2


@pytest.mark.parametrize(
    "broken",
    [
        lambda line: line.say(b"", 500),
        lambda line: line.say(b"<html>"),
        lambda line: line.say([]),
        lambda line: line.say({"keys": 7}),
        lambda line: line.say(b"x" * (LARGEST + 1)),
        lambda line: line.say(b"", 302, Location="http://127.0.0.1:1/elsewhere"),
        lambda line: line.hang_up(),
    ],
    ids=["error", "html", "list", "no keys", "too large", "elsewhere", "gone"],
)
def test_a_fetch_that_fails_leaves_the_keys_as_they_are(caller, broken, caplog):
    clock, answers = Clock(), [lambda line: line.say(caller.keys), broken]
    with serving(lambda line: answers.pop(0)(line)) as url:
        keys = FetchedKeys(url, clock)
        assert keys.key(caller.kid) is not None
        clock.now += PAUSE
        assert keys.key("unknown") is None
        assert answers == []
        assert keys.key(caller.kid) is not None
    assert "no keys could be fetched" in caplog.text
    assert "the previous ones stay" in caplog.text


def test_without_keys_nothing_is_known_and_the_next_minute_tries_again(caller, caplog):
    clock, answers = Clock(), [lambda line: line.say(b"", 500), lambda line: line.say(caller.keys)]
    with serving(lambda line: answers.pop(0)(line)) as url:
        keys = FetchedKeys(url, clock)
        for _ in range(2):
            with pytest.raises(NoKeys):
                keys.key(caller.kid)
        assert len(answers) == 1
        clock.now += PAUSE
        assert keys.key(caller.kid) is not None
    assert "none are known yet" in caplog.text


def test_an_old_set_is_fetched_again_beside_the_calls_and_withdrawn_keys_are_gone(caller):
    clock, withdrawn = Clock(), threading.Event()
    answers = [lambda line: line.say(caller.keys), lambda line: line.say(Caller(kid="other").keys)]
    with serving(lambda line: answers.pop(0)(line)) as url:
        keys = FetchedKeys(url, clock)
        assert keys.key(caller.kid) is not None
        clock.now += 601
        while keys.key(caller.kid) is not None:
            withdrawn.wait(0.01)
        assert answers == []


def test_a_server_that_drips_its_keys_is_given_up(caller, caplog, monkeypatch):
    monkeypatch.setattr(key_sets, "SECONDS", 0.3)

    def drip(line):
        line.send_response(200)
        line.send_header("Content-Length", "100000")
        line.end_headers()
        for _ in range(200):
            line.write(b" ")
            if line.close_connection:
                return
            time.sleep(0.05)

    with serving(drip) as url:
        keys = FetchedKeys(url)
        with pytest.raises(NoKeys):
            keys.key(caller.kid)
    assert "no keys could be fetched" in caplog.text


def test_keys_come_over_tls_from_a_server_that_is_trusted_and_from_no_other(caller, tmp_path, monkeypatch, caplog):
    certificate = throw_away_certificate(tmp_path)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content = orjson.dumps(caller.keys)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.file, certificate.key_file)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.handle_error = lambda *_: None  # a client that does not trust it hangs up
        listening.socket = context.wrap_socket(listening.socket, server_side=True)
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"https://localhost:{listening.server_port}/jwks.json"
        try:
            with pytest.raises(NoKeys):
                FetchedKeys(url).key(caller.kid)
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.file))
            assert FetchedKeys(url).key(caller.kid) is not None
        finally:
            listening.shutdown()
            thread.join()
    assert "no keys could be fetched" in caplog.text


def test_unusable_keys_of_a_set_are_left_out(tmp_path):
    from wardround.cds.tokens.public_keys import public_keys

    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    good = ec.generate_private_key(ec.SECP384R1())
    keys = [
        public_jwk(small, kid="short"),
        public_jwk(good, kid="for encryption", use="enc"),
        public_jwk(good, kid="of another curve", alg="ES256"),
        public_jwk(good, kid="symmetric by its word", alg="HS256"),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "symmetric", "alg": "HS256"},
        {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA", "kid": "not on the curve"},
        {"kty": ["RSA"], "kid": "odd"},
        public_jwk(good),
        public_jwk(good, kid="good", use="sig", alg="ES384", x5c=["…"]),
        "odd",
    ]
    read = public_keys(orjson.dumps({"keys": keys}))
    assert {kid: one.algorithm for kid, one in read.items()} == {"good": "ES384"}
