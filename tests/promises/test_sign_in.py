"""Tests a screening that signs in over TLS: one token per lifetime, expired tokens are renewed, and no secret leaks."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from requests.adapters import HTTPAdapter

from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import RunningServer, running_server
from wardround.demo.fhir_server.sign_in import Clients
from wardround.errors import FhirRefused, FhirUnreachable
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.sign_in import SignedAssertion
from wardround.workflows.screen import Means, ScreeningRequest, screen

STAYS = 6
TOKENS = "POST token"


class Overhearing(HTTPAdapter):
    """Collects what must not appear elsewhere: tokens and assertions."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets: set[str] = set()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if str(request.url).endswith("/auth/token"):
            self.secrets.update(parse_qs(bytes(request.body or b"").decode())["client_assertion"])
        else:
            self.secrets.add(str(request.headers["Authorization"]).removeprefix("Bearer "))
        return super().send(request, *args, **kwargs)


@pytest.fixture(scope="module")
def server(key_pair) -> Iterator[RunningServer]:
    with running_server(tls=True, clients=Clients(public_keys={"ward": key_pair.public})) as running:
        yield running


def source_at(server: RunningServer, key: str) -> FhirEndpoint:
    return FhirEndpoint(server.base_url, SignedAssertion("ward", key, "k1"), server.ca_file)


def filled(icu: Any, server: RunningServer, key: str) -> FhirEndpoint:
    """Fills the server with some stays and returns the source to screen; requests are counted from here."""
    source = source_at(server, key)
    for number in range(STAYS):
        icu.stay(f"s{number}")
    icu.upload(source.base_url, sign_in=source.sign_in, ca_file=source.ca_file)
    server.forget_requests()
    return source


def screened(source: FhirEndpoint, settings: Any, transport: HTTPAdapter | None = None, told: Any = None) -> Any:
    request = ScreeningRequest(
        condition="sepsis", source_url=source.base_url, as_of="2026-01-02T05:00:00Z", chunk_size=2
    )
    return screen(request, Means(source, settings, told or (lambda *_: None), transport)).as_json()


def test_all_clients_of_a_run_share_one_token(icu, server, settings, key_pair) -> None:
    server.misbehave(FaultPlan())
    source = filled(icu, server, key_pair.private)
    first, again = screened(source, settings), screened(source, settings)
    assert (first["scored"], first["written"], again["unchanged"]) == (STAYS, STAYS, STAYS)
    # The upload before it, in the same process, has asked for the one token.
    assert TOKENS not in server.requests()


def test_tokens_that_end_in_mid_run_are_renewed_in_time(icu, settings, key_pair, caplog) -> None:
    # The server takes a token for longer than it says: who renews one in time is never told that it ended.
    clients = Clients(public_keys={"ward": key_pair.public}, lifetime=300, said_lifetime=1.0)
    slow = FaultPlan(faults=(Fault(kind="delay", seconds=0.2, path="/fhir"),))
    with running_server(tls=True, clients=clients) as server:
        source = filled(icu, server, key_pair.private)
        server.misbehave(slow)
        with caplog.at_level(logging.WARNING):
            assert screened(source, settings)["written"] == STAYS
        assert server.requests()[TOKENS] >= 2
        assert "refused" not in caplog.text


# While stays are found, while they are read, and while they are written.
ENDS = [
    ("/Encounter/_search",),
    ("/Observation/_search",),
    ("/Encounter/_search", "/Observation/_search", "/RiskAssessment/_search"),
]


@pytest.mark.parametrize("paths", ENDS, ids=len)
def test_tokens_that_end_before_the_server_said_are_replaced_and_cost_nothing_else(
    icu, server, settings, key_pair, paths
) -> None:
    source = filled(icu, server, key_pair.private)
    ended = (Fault(kind="status", status=401, path=path, times=1) for path in paths)
    server.misbehave(FaultPlan(faults=tuple(ended)))
    summary = screened(source, settings)
    assert (summary["failed"], summary["written"], server.requests()[TOKENS]) == (0, STAYS, len(paths))


def test_a_token_endpoint_that_is_busy_is_asked_again(icu, server, settings, key_pair) -> None:
    source = filled(icu, server, key_pair.private)
    busy = Fault(kind="status", status=503, path="/auth/token", times=1, retry_after=0)
    cut = Fault(kind="drop_after", path="/auth/token", times=1)
    server.misbehave(FaultPlan(faults=(busy, cut, Fault(kind="status", status=401, path="/Encounter", times=1))))
    assert screened(source, settings)["failed"] == 0
    assert server.requests()[TOKENS] == 3


def test_a_wrong_key_is_refused_by_name(server, key_pair) -> None:
    server.misbehave(FaultPlan())
    with FhirClient(source_at(server, stranger())) as client, pytest.raises(FhirRefused, match="invalid_client"):
        next(client.search("Encounter", {}))


def test_the_sources_authority_precedes_the_environments(server, key_pair, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with FhirClient(source_at(server, key_pair.private)) as client:
        assert client.capabilities()["fhirVersion"] == "4.0.1"


def test_the_test_button_of_airflows_form_signs_in(server, key_pair, monkeypatch) -> None:
    from wardround.airflow.hook import FhirHook

    def tried(key: str) -> tuple[bool, str]:
        # A field of one line, into which the key was pasted.
        extra = {"auth": "smart", "private_key": key.replace("\n", " "), "key_id": "k1", "ca_file": server.ca_file}
        connection = {"conn_type": "fhir", "host": server.base_url, "login": "ward", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_WARD", json.dumps(connection))
        return FhirHook("ward").test_connection()

    server.misbehave(FaultPlan())
    ok, message = tried(key_pair.private)
    assert ok
    assert "FHIR 4.0.1" in message
    ok, message = tried(stranger())
    assert not ok
    assert "refused to issue a token (invalid_client)" in message


def stranger() -> str:
    """Returns a key that no server knows."""
    key = ec.generate_private_key(ec.SECP384R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_a_certificate_of_an_unknown_issuer_is_refused(server, key_pair) -> None:
    trusting_others = FhirEndpoint(server.base_url, SignedAssertion("ward", key_pair.private))
    with FhirClient(trusting_others) as client, pytest.raises(FhirUnreachable, match="certificate is not trusted"):
        client.capabilities()


def test_nothing_secret_is_logged_printed_or_stored(icu, server, settings, key_pair, caplog, capfd) -> None:
    caplog.set_level(logging.DEBUG)
    server.misbehave(FaultPlan(faults=(Fault(kind="status", status=401, path="/Observation/_search", times=1),)))
    source, told = filled(icu, server, key_pair.private), []
    overhearing = Overhearing()
    summary = screened(source, settings, overhearing, lambda *at: told.append(str(at)))
    assert len(overhearing.secrets) >= 3  # two tokens, an assertion
    secrets = [*overhearing.secrets, key_pair.private.splitlines()[1]]
    printed = capfd.readouterr()
    said = "\n".join([caplog.text, printed.out, printed.err, *told, str(summary), repr(source)])
    files = [path.read_bytes() for path in Path(settings.var).rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [secret for secret in secrets if secret in said or any(secret.encode() in file for file in files)] == []


@pytest.mark.parametrize("right", [True, False], ids=["the key", "a wrong key"])
def test_the_command_signs_in_by_the_name_of_the_source(icu, server, settings, key_pair, tmp_path, right) -> None:
    server.misbehave(FaultPlan())
    filled(icu, server, key_pair.private)
    key = tmp_path / "key.pem"
    key.write_text(key_pair.private)
    client = "ward" if right else "stranger"
    variables = {"BASE_URL": server.base_url, "CLIENT_ID": client, "KEY_FILE": key, "CA_FILE": server.ca_file}
    (tmp_path / ".env").write_text("".join(f"MY_WARD_{name}={value}\n" for name, value in variables.items()))
    places = {"HOME": settings.home, "VAR": settings.var, "RUNS": settings.runs, "MODELS": settings.models}
    environment = {**os.environ, **{f"WARDROUND_{name}": str(place) for name, place in places.items()}}
    command = [sys.executable, "-m", "wardround", "screen", "sepsis", "--source", "my-ward", "--json"]
    command += ["--as-of", "2026-01-02T05:00:00Z"]
    finished = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert server.requests()[TOKENS] == 1
    assert key_pair.private.splitlines()[1] not in finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
    if right:
        assert json.loads(finished.stdout)["scored"] == STAYS
    else:
        assert finished.returncode == FhirRefused.exit_code
        assert "refused to issue a token (invalid_client)" in finished.stderr
