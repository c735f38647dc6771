"""Provides a server in a child process, used over HTTP, and a fresh store for tests that are quicker without one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from wardround.demo.fhir_server.faults import FaultPlan
from wardround.demo.fhir_server.running import RunningServer, running_server
from wardround.demo.fhir_server.store import Store


@dataclass(frozen=True)
class Speaker:
    """Sends requests to a server's base, paths and bodies as FHIR."""

    server: RunningServer
    session: requests.Session

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        url = f"{self.server.base_url}/{path}" if path else self.server.base_url
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.request(method, url, json=body, headers=named, timeout=30)

    def search(self, path: str, **headers: str) -> Any:
        answer = self.send("GET", path, **headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ids(self, path: str) -> set[str]:
        """The ids of the matches of a search."""
        entries = self.search(path).get("entry", [])
        return {entry["resource"]["id"] for entry in entries if entry["search"]["mode"] == "match"}

    def put(self, resource: dict[str, Any]) -> None:
        answer = self.send("PUT", f"{resource['resourceType']}/{resource['id']}", resource)
        assert answer.status_code in (200, 201), answer.text

    def batch(self, *entries: dict[str, Any], kind: str = "batch", **headers: str) -> requests.Response:
        return self.send("POST", "", {"resourceType": "Bundle", "type": kind, "entry": list(entries)}, **headers)


def _speaker(server: RunningServer) -> Iterator[Speaker]:
    with requests.Session() as session:
        session.trust_env = False
        yield Speaker(server, session)


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Speaker]:
    """One server for all tests of a module, each of which uses its own resources."""
    with running_server() as server:
        yield from _speaker(server)


@pytest.fixture
def fhir(shared_server: Speaker) -> Iterator[Speaker]:
    """The module's server, without faults."""
    yield shared_server
    shared_server.server.misbehave(FaultPlan())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "fhir.sqlite") as opened:
        yield opened


@pytest.fixture
def risk() -> Callable[..., dict[str, Any]]:
    """A RiskAssessment with an identifier of the system urn:test."""

    def make(value: str, **more: Any) -> dict[str, Any]:
        identifier = [{"system": "urn:test", "value": value}]
        required = {"status": "final", "subject": {"reference": "Patient/p"}}
        return {"resourceType": "RiskAssessment", "identifier": identifier} | required | more

    return make
