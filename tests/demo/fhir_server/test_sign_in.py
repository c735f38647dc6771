"""Tests that the token endpoint accepts only valid assertions, each once, and that TLS needs its own authority."""

import math
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from wardround.demo.fhir_server.running import RunningServer, running_server
from wardround.demo.fhir_server.sign_in import Clients

KEY = ec.generate_private_key(ec.SECP384R1())
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server(tls=True, clients=Clients(public_keys={"me": PUBLIC}, secrets={"you": "a b%"})) as running:
        yield running


def endpoint(server: RunningServer) -> str:
    configuration = f"{server.base_url}/.well-known/smart-configuration"
    return str(requests.get(configuration, verify=server.ca_file, timeout=30).json()["token_endpoint"])


def claims(server: RunningServer, jti: str, **other: Any) -> dict[str, Any]:
    own = {"iss": "me", "sub": "me", "aud": endpoint(server), "exp": int(time.time()) + 60, "jti": jti}
    return {name: value for name, value in {**own, **other}.items() if value is not None}


def asked(server: RunningServer, **more: Any) -> requests.Response:
    form = {"grant_type": "client_credentials", **more.pop("form", {})}
    return requests.post(endpoint(server), data=form, verify=server.ca_file, timeout=30, **more)


def asserted(server: RunningServer, said: dict[str, Any], key: Any = KEY, algorithm: str = "ES384") -> int:
    form = {"client_assertion_type": TYPE, "client_assertion": jwt.encode(said, key, algorithm)}
    return asked(server, form=form).status_code


def test_without_a_token_only_the_capability_statement_is_available(server) -> None:
    statuses = [
        requests.get(f"{server.base_url}{path}", verify=server.ca_file, headers=headers, timeout=30).status_code
        for path, headers in [
            ("/Patient", {}),
            ("/Patient", {"Authorization": "Bearer wrong"}),
            ("/Patient", {"Authorization": "Bearer "}),
            ("/metadata", {}),
        ]
    ]
    assert statuses == [401, 401, 401, 200]


def test_a_token_gives_access_to_the_server(server) -> None:
    answer = asked(server, form={"client_id": "you", "client_secret": "a b%"}).json()
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 300)
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    found = requests.get(f"{server.base_url}/Patient", verify=server.ca_file, headers=headers, timeout=30)
    assert found.json()["resourceType"] == "Bundle"


def test_an_assertion_is_accepted_only_once(server) -> None:
    said = claims(server, "once")
    assert [asserted(server, said), asserted(server, said)] == [200, 401]


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "https://elsewhere.example.org/token"},
        {"exp": 1},
        {"exp": int(time.time()) + 3600},
        {"exp": None},
        {"jti": None},
        {"iss": "you"},
        {"sub": "nobody"},
        {"sub": ["me"]},
        {"jti": ["a"]},
        {"jti": {}},
        {"exp": math.inf},
        {"exp": "soon"},
        {"exp": [1]},
        {"aud": {}},
        {"nbf": -math.inf},
        {"iat": []},
    ],
)
def test_an_invalid_assertion_is_refused(server, wrong: dict[str, Any]) -> None:
    assert asserted(server, claims(server, **{"jti": f"{wrong}", **wrong})) == 401


def test_an_assertion_of_another_key_or_kind_is_refused(server) -> None:
    said = claims(server, "other")
    assert asserted(server, said, ec.generate_private_key(ec.SECP384R1())) == 401
    assert asserted(server, said, "s" * 48, "HS384") == 401


@pytest.mark.parametrize(
    "form", [b"grant_type=client_credentials&client_id=\xff", b"\xff", b"grant_type=client_credentials", b""]
)
def test_a_form_without_usable_credentials_is_refused(server, form: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = requests.post(endpoint(server), data=form, headers=headers, verify=server.ca_file, timeout=30)
    assert answer.status_code in (400, 401)


@pytest.mark.parametrize("auth", [("you", "wrong"), ("nobody", "a b%"), ("nobody", "")])
def test_a_wrong_secret_is_refused(server, auth: tuple[str, str]) -> None:
    assert asked(server, auth=auth).json() == {"error": "invalid_client"}


@pytest.mark.parametrize("auth", ["Basic !", "Basic bm9jb2xvbg==", "Basic /w==", "Basic eW91OsOk"])
def test_unreadable_credentials_are_refused(server, auth: str) -> None:
    url, form = f"{server.control_url}/auth/token", {"grant_type": "client_credentials"}
    answer = requests.post(url, form, headers={"Authorization": auth}, verify=server.ca_file, timeout=30)
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})


def test_requests_for_tokens_are_counted(server) -> None:
    server.forget_requests()
    asked(server)
    assert server.requests()["POST token"] == 1


def test_the_certificate_is_trusted_only_through_its_own_file(server) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{server.base_url}/metadata", timeout=30)
    strict = ssl.create_default_context(cafile=server.ca_file)
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    host, port = server.control_url.removeprefix("https://").split(":")
    with (
        socket.create_connection((host, int(port))) as plain,
        strict.wrap_socket(plain, server_hostname=host) as secure,
    ):
        assert secure.version() == "TLSv1.3"
