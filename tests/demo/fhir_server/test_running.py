"""Tests the server as a process: it is ready when it says so, and ends with its parent."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from wardround.adapters.sockets import listen
from wardround.demo.fhir_server.app import create_app
from wardround.demo.fhir_server.faults import Fault, FaultPlan, Faults
from wardround.demo.fhir_server.running import running_server
from wardround.demo.fhir_server.store import Store
from wardround.errors import FhirUnreachable, WardroundError


def test_the_process_ends_with_the_block() -> None:
    with running_server() as server:
        process = psutil.Process(server.pid)
        assert server.base_url.startswith("http://127.0.0.1:")
        assert requests.get(f"{server.base_url}/metadata", timeout=30).status_code == 200
    assert not process.is_running()


def test_the_process_ends_when_its_parent_is_killed() -> None:
    code = (
        "import sys, time\nfrom wardround.demo.fhir_server.running import running_server\n"
        "with running_server() as server:\n    print(server.pid, flush=True)\n    sys.stdin.read()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdin is not None
    with parent.stdout, parent.stdin:
        server = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
        psutil.wait_procs([server], timeout=300)
        assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_command_without_an_error_and_without_leftovers(tmp_path: Path, sign: int) -> None:
    command = [sys.executable, "-m", "wardround", "fhir-server", "--port", "0"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        assert b"/fhir" in child.stdout.readline()
        assert list(tmp_path.iterdir()) != []
        child.send_signal(sign)
        _, errors = child.communicate(timeout=300)
    assert (child.returncode, b"Traceback" in errors) == (0, False)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_cannot_start_is_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FhirUnreachable), running_server(data=tmp_path / "none"):
        pass
    assert "give a folder of FHIR files" in capfd.readouterr().err


def test_a_port_in_use_is_an_error() -> None:
    with listen("127.0.0.1", 0, "fhir-server") as taken, pytest.raises(WardroundError) as refused:
        listen("127.0.0.1", taken.getsockname()[1], "fhir-server")
    assert "(Address already in use); choose another with --port" in str(refused.value)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_a_host_that_is_not_this_machine_is_told_apart_from_a_taken_port(host: str) -> None:
    with pytest.raises(WardroundError, match="with --host"):
        listen(host, 0, "fhir-server")


def test_a_database_is_kept_between_runs(tmp_path: Path) -> None:
    patient = {"resourceType": "Patient", "id": "kept", "gender": "male"}
    for _ in range(2):
        with running_server(db=tmp_path / "db.sqlite") as server:
            answer = requests.put(f"{server.base_url}/Patient/kept", json=patient, timeout=30)
    assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"1"')


def test_two_processes_on_one_database_make_one_resource(tmp_path: Path, risk: Any) -> None:
    db = tmp_path / "db.sqlite"
    entry = [
        {"resource": risk(str(n)), "request": {"method": "PUT", "url": f"RiskAssessment?identifier=urn:test|{n}"}}
        for n in range(50)
    ]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": entry}
    with running_server(db=db) as one, running_server(db=db) as other:
        start, statuses = threading.Barrier(4), []

        def write(base_url: str) -> None:
            start.wait()
            made = requests.post(base_url, json=bundle, timeout=60).json()["entry"]
            statuses.extend(part["response"]["status"] for part in made)

        threads = [threading.Thread(target=write, args=[server.base_url]) for server in (one, other) * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        total = requests.get(f"{other.base_url}/RiskAssessment", timeout=30).json()["total"]
    assert (total, statuses.count("201 Created"), statuses.count("200 OK")) == (50, 50, 150)


def test_the_app_can_also_run_in_process(store: Store) -> None:
    faults = Faults(FaultPlan(faults=(Fault(kind="drop", path="/Patient"),)))
    app = create_app(store, faults)
    assert b'"fhirVersion":"4.0.1"' in asyncio.run(_answer(app, "/fhir/metadata"))
    with pytest.raises(ConnectionAbortedError):
        asyncio.run(_answer(app, "/fhir/Patient"))


def test_a_client_that_ends_while_it_sends_is_no_fault_of_the_server(store: Store) -> None:
    gone = {"type": "http.disconnect"}
    assert asyncio.run(_answer(create_app(store), "/fhir/Patient", "POST", gone)) == b""


async def _answer(app: Any, path: str, method: str = "GET", received: dict[str, Any] | None = None) -> bytes:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return received or {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": [], "scheme": "http"}
    await app(scope | {"server": ("localhost", 80), "client": ("localhost", 1), "root_path": ""}, receive, send)
    return b"".join(message.get("body", b"") for message in sent)
