"""Tests the sandbox as an EHR before anybody's service: what it sends, and what it says of the answers."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from tests.cds.rules import require
from tests.fixtures.icu import AS_OF, Icu
from tests.loopback import Line, serving

from wardround.adapters.database.database import opened
from wardround.cds.tokens.used_tokens import UsedTokens
from wardround.cds.tokens.verification import Verifier
from wardround.cli.main import wardround
from wardround.demo.fhir_server.running import running_server
from wardround.errors import SettingsError, SourceDataError, WardroundError
from wardround.settings import database_in
from wardround.spec.issuers import Issuer, Issuers

CARD = {"summary": "Seen", "indicator": "info", "source": {"label": "Somebody"}}
TEMPLATES = {
    "who": "Patient/{{context.patientId}}",
    "stays": "Encounter?patient={{context.patientId}}",
    "hearts": "Observation?patient={{context.patientId}}&code=http://loinc.org|8867-4&date=ge{{today()}}T02:00:00Z",
    "cover": "Coverage/{{context.coverageId}}",
    "odd": "Observation?patient={{context.patientId}}&date=ge-yesterday",
}


@dataclass
class Vendor:
    """Somebody's CDS Hooks service with templates of its own; a test may change what it answers."""

    url: str = ""
    hook: str = "patient-view"
    answer: Any = field(default_factory=lambda: {"cards": [CARD]})
    status: int = 200
    calls: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[tuple[str, str]] = field(default_factory=list)

    def serve(self, line: Line) -> None:
        self.tokens.append((line.path, line.headers.get("Authorization", "").removeprefix("Bearer ")))
        if line.command == "GET":
            service = {"id": "seen", "hook": self.hook, "description": "Tells.", "prefetch": TEMPLATES}
            line.say({"services": [service]}, content_type="application/json")
        else:
            self.calls.append(json.loads(line.body))
            line.say(self.answer, self.status, "application/json")


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    vendor = Vendor()
    with serving(vendor.serve) as url:
        vendor.url = url
        yield vendor
    # The sandbox keeps to the rules that it holds services to.
    for call in vendor.calls:
        require("request", call)


def sandbox(*arguments: object) -> Result:
    return CliRunner().invoke(wardround, ["sandbox", *map(str, arguments)])


@pytest.fixture(scope="module")
def two() -> Icu:
    """A small ICU of two patients."""
    icu = Icu()
    for name in ("a", "b"):
        icu.stay(name)
    return icu


@pytest.fixture
def bundle(two: Icu, tmp_path: Path) -> Path:
    """A file with both charts."""
    file = tmp_path / "icu.json"
    entries = [{"resource": one} for one in two.resources]
    file.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    return file


@pytest.fixture(scope="module")
def charts(two: Icu) -> Iterator[str]:
    """The base URL of a FHIR server with both."""
    with running_server() as server:
        two.upload(server.base_url)
        yield server.base_url


@pytest.fixture
def prefetch(tmp_path: Path) -> Path:
    """A prefetch file that no service asked for."""
    file = tmp_path / "somebody.json"
    file.write_text(json.dumps({"any": {"resourceType": "Patient", "id": "p-1"}, "nothing": None}))
    return file


def test_a_services_own_templates_are_filled_and_what_cannot_be_asked_is_left_out(
    vendor: Vendor, bundle: Path, tmp_path: Path
) -> None:
    done = sandbox("--url", vendor.url, "--as-of", AS_OF.isoformat(), "--json", "--save", tmp_path / "kept", bundle)
    assert done.exit_code == 0, done.output
    assert [one["context"]["patientId"] for one in vendor.calls] == ["p-a", "p-b"]
    for one in vendor.calls:
        sent, who = one["prefetch"], one["context"]["patientId"]
        assert (one["hook"], set(sent)) == ("patient-view", {"who", "stays", "hearts"})
        assert sent["who"]["id"] == who
        assert [entry["resource"]["id"] for entry in sent["hearts"]["entry"]] == [f"o-{who}-hr1.0", f"o-{who}-hr2.5"]
    assert len({one["hookInstance"] for one in vendor.calls}) == 2
    printed = json.loads(done.stdout)
    assert [one["left_out"] for one in printed["answers"]] == [["cover", "odd"]] * 2
    assert [one["cards"] for one in printed["answers"]] == [["Seen"]] * 2
    kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert kept == [f"000{number}-seen-{kind}.json" for number in (1, 2) for kind in ("request", "response")]
    assert json.loads((tmp_path / "kept" / "0002-seen-request.json").read_bytes()) in vendor.calls


def test_a_hook_with_an_encounter_names_the_one_in_progress(vendor: Vendor, charts: str) -> None:
    vendor.hook = "encounter-start"
    assert sandbox("--url", vendor.url, "--hook", "encounter-start", "--parallel", 2, charts).exit_code == 0
    assert sorted(one["context"]["encounterId"] for one in vendor.calls) == ["e-a", "e-b"]


def test_an_order_is_drafted_for_order_select(vendor: Vendor, charts: str) -> None:
    vendor.hook = "order-select"
    assert sandbox("--url", vendor.url, "--hook", "order-select", "--most", 1, charts).exit_code == 0
    [call] = vendor.calls
    [order] = call["context"]["draftOrders"]["entry"]
    assert call["context"]["selections"] == [f"ServiceRequest/{order['resource']['id']}"]


def test_a_patient_without_an_encounter_is_not_called_about_where_one_is_needed(vendor: Vendor, prefetch: Path) -> None:
    vendor.hook = "encounter-discharge"
    done = sandbox("--url", vendor.url, "--hook", "encounter-discharge", "--json", prefetch)
    assert (done.exit_code, vendor.calls) == (0, [])
    assert json.loads(done.stdout)["answers"][0]["outcome"] == "no call, no encounter in progress"


def test_a_prefetch_file_is_sent_as_it_is(vendor: Vendor, prefetch: Path) -> None:
    assert sandbox("--url", vendor.url, prefetch).exit_code == 0
    [call] = vendor.calls
    assert call["prefetch"] == json.loads(prefetch.read_bytes())
    assert call["context"]["patientId"] == "p-1"


def test_a_hook_request_keeps_its_context_and_is_for_its_hook_alone(vendor: Vendor, tmp_path: Path) -> None:
    for hook in ("patient-view", "order-sign"):
        request = {"hook": hook, "hookInstance": "old", "context": {"userId": "Patient/1", "patientId": "1", "x": 1}}
        (tmp_path / f"{hook}.json").write_text(json.dumps(request))
    assert sandbox("--url", vendor.url, *sorted(tmp_path.glob("*.json"))).exit_code == 0
    [call] = vendor.calls
    assert call["context"] == {"userId": "Patient/1", "patientId": "1", "x": 1}
    assert call["hookInstance"] != "old"
    assert "prefetch" not in call


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"answer": {"cards": [{**CARD, "summary": "x" * 140}]}}, "call 1: cards.0.summary: "),
        ({"answer": {"cards": [{**CARD, "detail": None}]}}, "call 1: cards.0.detail: is blank"),
        ({"answer": b"<html>"}, "call 1: the body is not JSON"),
        ({"answer": b""}, "call 1: the body: "),
        ({"answer": {"resourceType": "OperationOutcome"}, "status": 412}, "1 of 1 calls failed"),
        ({"answer": {"cards": []}, "hook": "patient-view/"}, "has no such service"),
    ],
)
def test_a_service_that_breaks_the_rules_is_told_how_and_the_command_fails(
    vendor: Vendor, prefetch: Path, change: dict[str, Any], told: str
) -> None:
    vars(vendor).update(change)
    done = sandbox("--url", vendor.url, prefetch)
    assert isinstance(done.exception, WardroundError)
    assert told in f"{done.output}{done.exception}"


def test_a_refusal_is_shown_as_the_service_words_it(vendor: Vendor, prefetch: Path) -> None:
    vendor.status = 412
    vendor.answer = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "diagnostics": "no lactate"}]}
    assert "no lactate" in sandbox("--url", vendor.url, prefetch).stdout


@pytest.mark.parametrize("status", [503, 200])
def test_a_service_that_refuses_every_call_is_named_with_the_option_that_leaves_it_out(
    vendor: Vendor, prefetch: Path, status: int
) -> None:
    vendor.status = status
    if status == 503:
        issue = {"severity": "error", "diagnostics": "no model"}
        vendor.answer = {"resourceType": "OperationOutcome", "issue": [issue]}
    done = sandbox("--url", vendor.url, prefetch, prefetch)
    said = "No call of seen was answered with cards (status 503: no model); --condition ID leaves other conditions out"
    assert (said in done.output, done.exit_code) == ((True, 1) if status == 503 else (False, 0))


def test_a_service_that_is_not_there_is_named(prefetch: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        done = sandbox("--url", f"http://127.0.0.1:{nobody.getsockname()[1]}", prefetch)
    assert "got no answer, expected a list of services" in str(done.exception)


@pytest.mark.parametrize("content", ["<html>", "[]", "{}", '{"resourceType": "Patient", "id": "1"}', '{"prefetch": 1}'])
def test_a_file_that_is_none_of_what_can_be_sent_is_refused(vendor: Vendor, tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    done = sandbox("--url", vendor.url, tmp_path / "x.json")
    assert isinstance(done.exception, SourceDataError)
    assert "expected a prefetch" in str(done.exception)


def private_jwk(folder: Path, key: ec.EllipticCurvePrivateKey, **more: str) -> Path:
    file = folder / "key.jwk"
    file.write_text(json.dumps({**ECAlgorithm.to_jwk(key, as_dict=True), **more}))
    return file


def test_each_request_is_signed_with_a_token_that_our_own_service_accepts(
    vendor: Vendor, prefetch: Path, tmp_path: Path
) -> None:
    key, issuer = ec.generate_private_key(ec.SECP384R1()), "https://ehr.example.org"
    file, base = private_jwk(tmp_path, key, kid="k/1="), vendor.url.removesuffix("/fhir")
    public = {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "k/1="}
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [public]}))
    done = sandbox("--url", vendor.url, "--key", file, "--issuer", issuer, prefetch)
    assert done.exit_code == 0, done.output
    assert len(vendor.tokens) == 2
    listed = Issuers(issuers=(Issuer(issuer=issuer, jwks="keys.json"),))
    with opened(database_in(tmp_path)) as database:
        verifier = Verifier.of(listed, tmp_path, base, UsedTokens(database))
        for path, token in vendor.tokens:
            assert verifier.verify(f"Bearer {token}", path, datetime.now(UTC)) == issuer


def test_a_key_that_cannot_sign_is_refused(vendor: Vendor, prefetch: Path, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    (tmp_path / "public.jwk").write_text(json.dumps({**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "1"}))
    (tmp_path / "text.jwk").write_text("-----BEGIN")
    for file in (tmp_path / "public.jwk", tmp_path / "text.jwk", private_jwk(tmp_path, key)):
        done = sandbox("--url", vendor.url, "--key", file, "--issuer", "https://x.org", prefetch)
        assert isinstance(done.exception, SettingsError), file.name


@pytest.mark.parametrize(
    "options",
    [["--serve", "--url", "http://127.0.0.1:9"], ["--profile", "generic"], ["--issuer", "https://x.org"]],
)
def test_options_that_exclude_each_other_are_refused(prefetch: Path, options: list[str]) -> None:
    assert sandbox(*options, prefetch).exit_code == 2
