"""Tests `wardround cds` as it is run: what it refuses to start with, its workers, and how it stops."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
import requests
from click.testing import CliRunner
from sqlalchemy import select
from tests import waiting
from tests.cds.calls import whole
from tests.cds.http.caller import Caller
from tests.cds.http.conftest import entry_of
from tests.fixtures.icu import AS_OF
from tests.waiting import WAIT

from wardround.adapters.database.database import opened
from wardround.adapters.database.tables import USED_TOKENS
from wardround.adapters.sockets import listen
from wardround.cds.http.running import running_door
from wardround.cli.main import wardround
from wardround.demo.fhir_server.running import running_server
from wardround.errors import FhirError, SpecError
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint

BASE = "https://cds.example.org"
DISCOVERY = f"{BASE}/cds-services"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give either --issuers FILE, or --no-jwt"),
        (["--no-jwt", "--issuers", "issuers.yaml"], "give either --issuers FILE, or --no-jwt"),
        (["--issuers", "issuers.yaml", "--as-of", "2026-01-02T05:00:00Z"], "expected --no-jwt with it"),
        (["--no-jwt", "--write-results", "--source", "http://localhost/fhir"], "--write-results needs --issuers"),
        (["--issuers", "issuers.yaml", "--write-results"], "and --source"),
        (["--no-jwt", "--host", "0.0.0.0"], "expected a loopback address; leave out --host"),
        (["--no-jwt", "--base-url", "cds.example.org"], "expected a URL such as https://cds.example.org"),
        (["--no-jwt", "--base-url", "https://cds.example.org/?a=b"], "without a query"),
        (["--no-jwt", "--cors", "sandbox.example.org"], "expected scheme, host and port"),
        (["--no-jwt", "--workers", "0"], "not in the range"),
        (["--no-jwt", "--as-of", "2026-01-02T05:00:00"], "has no offset"),
    ],
)
def test_what_contradicts_itself_does_not_start(options, message):
    result = CliRunner().invoke(wardround, ["cds", "--port", "0", *options])
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", "").split())


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--source", "ftp://ehr.example.org"], FhirError),
        (["--source", "https://ehr.example.org/r4?a=b"], FhirError),
        (["--profile", "nobody"], SpecError),
    ],
)
def test_a_source_or_profile_that_cannot_be_is_an_error_with_its_own_exit_code(options, error):
    result = CliRunner().invoke(wardround, ["cds", "--port", "0", "--no-jwt", *options])
    assert isinstance(result.exception, error)


def test_a_taken_port_is_said_with_a_remedy():
    with listen("127.0.0.1", 0, "test") as taken:
        result = CliRunner().invoke(wardround, ["cds", "--no-jwt", "--port", str(taken.getsockname()[1])])
    assert "choose another with --port" in str(result.exception)


def test_a_worker_limits_the_threads_of_libraries_before_it_imports_them():
    code = "import sys\nimport wardround.cli.cds\nprint(sorted({'numpy', 'sklearn', 'xgboost'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
def environment(settings) -> dict[str, str]:
    places = {"HOME": settings.home, "VAR": settings.var, "MODELS": settings.models, "DATABASE": settings.database}
    return {**os.environ, **{f"WARDROUND_{name}": str(place) for name, place in places.items()}}


@pytest.fixture
def issuers(tmp_path: Path, caller: Caller) -> Path:
    file = tmp_path / "issuers.yaml"
    file.write_text(json.dumps({"issuers": [entry_of(caller, tmp_path).model_dump(exclude_none=True)]}))
    return file


@pytest.fixture(scope="module")
def caller() -> Caller:
    return Caller()


def discovered(url: str, token: str | None = None) -> int:
    """Returns the status of a discovery over a connection of its own."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.get(f"{url}/cds-services", headers=headers, timeout=WAIT).status_code


def workers_of(pid: int) -> list[psutil.Process]:
    """Returns the workers: the children of the service that are not Python's own keeper of resources."""
    children = psutil.Process(pid).children()
    return [one for one in children if "resource_tracker" not in " ".join(one.cmdline())]


def until(condition) -> None:
    """Waits until it holds of processes, which may end while they are looked at."""

    def holds() -> bool:
        with suppress(psutil.NoSuchProcess):
            return bool(condition())
        return False

    waiting.until(holds)


def accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT):
            return True
    except ConnectionRefusedError:
        return False


def test_workers_share_used_tokens_and_counts_and_finish_what_is_in_hand(environment, issuers, caller):
    options = ["--workers", "2", "--issuers", str(issuers), "--base-url", BASE, "--host", "127.0.0.1"]
    with running_door(*options, environment=environment) as door:
        url = door.said["listening"]
        assert door.said == {"base_url": BASE, "listening": url}
        port = int(url.rpartition(":")[2])
        until(lambda: len(polling(door.pid)) == 2)
        one, other = polling(door.pid)
        token = caller.token(aud=DISCOVERY)
        # Only one of them can answer each.
        other.suspend()
        assert discovered(url, token) == 200
        other.resume()
        one.suspend()
        assert discovered(url, token) == 401
        assert discovered(url, caller.token(aud=DISCOVERY)) == 200
        one.resume()
        until(lambda: counted(url, "200") == 2)
        one.kill()
        assert discovered(url, caller.token(aud=DISCOVERY)) == 200
        # What the dead one counted still counts.
        assert counted(url, "200") == 3
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as connection:
            token = caller.token(aud=f"{BASE}/cds-services/none")
            head = "POST /cds-services/none HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Authorization: Bearer {token}\r\nContent-Length: 2\r\n\r\n{{".encode())
            until(lambda: used(environment) == 4)
            os.kill(door.pid, signal.SIGTERM)
            until(lambda: not accepts(port))
            connection.sendall(b"}")
            said = b""
            while part := connection.recv(65_536):
                said += part
        assert said.startswith(b"HTTP/1.1 404 ")
        assert b"OperationOutcome" in said
        until(lambda: psutil.Process(door.pid).status() == psutil.STATUS_ZOMBIE)


@pytest.mark.long
def test_the_service_writes_to_the_record_what_it_has_answered_even_as_it_stops(environment, issuers, caller, icu):
    moved = datetime.now(UTC) - AS_OF
    icu.stay("a", lactate=6.0, period={"start": (AS_OF - timedelta(hours=28) + moved).isoformat()})
    for one in icu.resources:
        for name in ("effectiveDateTime", "issued"):
            if name in one:
                one[name] = (datetime.fromisoformat(one[name]) + moved).isoformat()
    options = ["--issuers", str(issuers), "--base-url", BASE, "--host", "127.0.0.1", "--write-results"]
    with running_server() as server:
        icu.upload(server.base_url)
        with running_door(*options, "--source", server.base_url, environment=environment) as door:
            context = {"userId": "Practitioner/one", "patientId": "p-a"}
            body = {"hook": "patient-view", "hookInstance": "one", "context": context, "fhirServer": server.base_url}
            answer = requests.post(
                f"{door.said['listening']}/cds-services/sepsis-risk",
                json={**body, "prefetch": whole(icu.resources, "p-a")},
                headers={"Authorization": f"Bearer {caller.token(aud=f'{DISCOVERY}/sepsis-risk')}"},
                timeout=WAIT,
            )
            assert answer.json()["cards"][0]["summary"].startswith("Sepsis risk: HIGH")
            os.kill(door.pid, signal.SIGTERM)
            until(lambda: psutil.Process(door.pid).status() == psutil.STATUS_ZOMBIE)
        with FhirClient(FhirEndpoint(server.base_url)) as client:
            held = list(client.search("RiskAssessment", {}))
    audit = "".join(file.read_text() for file in (Path(environment["WARDROUND_VAR"]) / "cds" / "audit").iterdir())
    # On a busy machine the stop may come before the write is done; then that is what the audit says.
    assert audit.count('"written"') + audit.count('"stopped"') == 1
    assert len(held) == 1 or '"stopped"' in audit


def polling(pid: int) -> list[psutil.Process]:
    """Returns the workers whose event loop runs."""
    return [one for one in workers_of(pid) if any("eventpoll" in target for target in opened_by(one))]


def opened_by(process: psutil.Process) -> list[str]:
    return [str(link.readlink()) for link in Path(f"/proc/{process.pid}/fd").iterdir() if link.is_symlink()]


def counted(url: str, status: str) -> int:
    text = requests.get(f"{url}/metrics", timeout=WAIT).text
    [value] = re.findall(rf'kind="discovery",status="{status}"}} (\d+)', text)
    return int(value)


def used(environment: dict[str, str]) -> int:
    with opened(environment["WARDROUND_DATABASE"]) as database, database.reading() as connection:
        return len(connection.execute(select(USED_TOKENS.c.jti)).all())
