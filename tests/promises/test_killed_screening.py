"""Killing a screening anywhere, or running two at once, ends with one RiskAssessment and one Provenance a stay."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from wardround.adapters.fhir_client import FhirClient
from wardround.adapters.fhir_source import FhirSource
from wardround.services.fhir_server.running import running_server
from wardround.settings import Settings
from wardround.workflows.screening import Means, ScreeningRequest, screen

STAYS = 12
CHUNK = 4


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_server() as running:
        yield running.base_url


@contextmanager
def gateway(server: str, met: Callable[[int, bool], bool]) -> Iterator[str]:
    """A gateway before the server. `met(n, answered)` is told of the n-th request before and after the server does it;
    where it says True the connection is closed, so that the caller gets no answer."""
    target = urlsplit(server)
    numbers, lock = iter(range(1, 1000)), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with lock:
                number = next(numbers)
            if met(number, False):
                return self.hang_up()
            connection = http.client.HTTPConnection(target.hostname or "", target.port)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            if met(number, True):
                return self.hang_up()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            return None

        def hang_up(self) -> None:
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}/fhir"
        finally:
            listening.shutdown()
            thread.join()


def command(source: str, as_of: str) -> list[str]:
    options = ["--source", source, "--as-of", as_of, "--chunk", str(CHUNK), "--json"]
    return [sys.executable, "-m", "wardround", "screen", "sepsis", *options]


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    places = {"HOME": settings.home, "VAR": settings.var, "RUNS": settings.runs, "MODELS": settings.models}
    return {**os.environ, **{f"WARDROUND_{name}": str(place) for name, place in places.items()}}


def held(server: str, as_of: str) -> tuple[list[str], int]:
    """The encounters with a RiskAssessment for as_of, once for each; and how many Provenances are about these."""
    with FhirClient(FhirSource(server)) as client:
        risks = [risk for risk in client.search("RiskAssessment", {}) if risk["occurrenceDateTime"] == as_of]
        ids = {f"RiskAssessment/{risk['id']}" for risk in risks}
        targets = [each["target"][0]["reference"] for each in client.search("Provenance", {})]
    assert ids <= set(targets)
    return sorted(risk["encounter"]["reference"] for risk in risks), sum(target in ids for target in targets)


def without_device(server: str) -> None:
    """So that every case has to create it."""
    with FhirClient(FhirSource(server)) as client:
        devices = [f"Device/{device['id']}" for device in client.search("Device", {})]
        client.batch([{"request": {"method": "DELETE", "url": device}} for device in devices])


# Before and after the server does the n-th request: 1 finds the stays, 2 to 4 fetch, 5 to 7 are about the Device, 8 to
# 22 write (of each of three chunks: search, write, search, search Provenance, write Provenance), 23 reconciles.
POINTS = [(1, True), (3, False), (5, False), (6, False), (6, True), (8, True), (9, False), (9, True), (10, True)]
POINTS += [(12, False), (12, True), (15, True), (19, True), (22, True), (23, True)]


@pytest.mark.parametrize(("number", "answered"), POINTS)
def test_a_screening_killed_at_any_request_is_mended_by_the_next(
    icu, server, settings, environment, number: int, answered: bool
) -> None:
    for place in range(STAYS):
        icu.stay(f"s{place:02}", lactate=1.0 + place / 3)
    icu.upload(server)
    without_device(server)
    as_of = f"2026-01-02T05:{number:02}:{30 if answered else 0:02}Z"
    processes: list[subprocess.Popen[bytes]] = []
    started = threading.Event()
    killed = threading.Event()

    def kill(at: int, done: bool) -> bool:
        if not killed.is_set() and (at, done) == (number, answered):
            started.wait()
            processes[0].kill()
            processes[0].wait()
            killed.set()
        return killed.is_set() and not mending

    mending = False
    with gateway(server, kill) as source:
        processes.append(subprocess.Popen(command(source, as_of), env=environment, stderr=subprocess.DEVNULL))
        started.set()
        assert processes[0].wait(60) == -signal.SIGKILL
        mending = True
        request = ScreeningRequest(condition="sepsis", source_url=source, as_of=as_of, chunk_size=CHUNK)
        summary = screen(request, Means(FhirSource(source), settings, lambda *_: None))
    assert held(server, as_of) == ([f"Encounter/e-s{place:02}" for place in range(STAYS)], STAYS)
    assert (summary["written"], summary["failed"]) == (STAYS, 0)


def test_two_screenings_of_the_same_time_at_once_write_once(icu, server, environment) -> None:
    for place in range(STAYS):
        icu.stay(f"s{place:02}", lactate=1.0 + place / 3)
    icu.upload(server)
    as_of = "2026-01-02T06:00:00Z"
    both = [subprocess.Popen(command(server, as_of), env=environment, stdout=subprocess.PIPE) for _ in range(2)]
    results: list[dict[str, Any]] = [json.loads(process.communicate(timeout=120)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert [result["written"] for result in results] == [STAYS, STAYS]
    assert held(server, as_of) == ([f"Encounter/e-s{place:02}" for place in range(STAYS)], STAYS)
