"""Serves the door over real HTTP in this process, for an `answer` of the test's own, and makes an EHR that signs."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.cds.http.caller import BASE, Caller

from wardround.adapters.database.database import Database, opened
from wardround.adapters.sockets import listen, url_of
from wardround.cds.discovery import Service
from wardround.cds.exchange import Answer, Request, Result
from wardround.cds.http.app import Means, create_app
from wardround.cds.http.audit import Audit
from wardround.cds.http.metrics import Metrics
from wardround.cds.http.serving import configured
from wardround.cds.tokens.used_tokens import UsedTokens
from wardround.cds.tokens.verification import Verifier
from wardround.settings import database_in
from wardround.spec.issuers import Issuer, Issuers


@pytest.fixture(scope="session")
def caller() -> Caller:
    return Caller()


@pytest.fixture(scope="session")
def rsa_caller() -> Caller:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return Caller("https://other.example.org/fhir", "rsa-1", "RS384", key)


@dataclass
class Served:
    """A door that is being served, and what reached it."""

    url: str
    folder: Path
    asked: list[Request]

    def call(self, token: str | None = None, path: str = "/cds-services/sepsis-risk", **more: Any) -> requests.Response:
        """Posts to a service, by default an empty object."""
        headers = {"Content-Type": "application/json", **more.pop("headers", {})}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return requests.post(f"{self.url}{path}", headers=headers, timeout=30, **{"data": b"{}", **more})

    def audit(self) -> list[dict[str, Any]]:
        lines = [line for path in sorted((self.folder / "audit").iterdir()) for line in path.read_bytes().splitlines()]
        return [orjson.loads(line) for line in lines]

    def metrics(self) -> str:
        return requests.get(f"{self.url}/metrics", timeout=30).text


def cards(_request: Request) -> Answer:
    """Answers as a door that has nothing to say."""
    return Answer(200, b'{"cards":[]}')


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """serve(answer, issuers=[…]) serves a door on a free port until the test ends; without issuers, without tokens."""
    with _serving_in(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory, caller: Caller, rsa_caller: Caller) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("door")
    issuers = [entry_of(caller, folder, audiences=("sand_man",)), entry_of(rsa_caller, folder)]
    with _serving_in(folder) as start:
        yield start(issuers=issuers)


@pytest.fixture
def guarded(_shared: Served) -> Served:
    """A door that both EHRs may call, the first also with the audience sand_man; shared by the tests of a module."""
    _shared.asked.clear()
    return _shared


@pytest.fixture(scope="module")
def _unguarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with _serving_in(tmp_path_factory.mktemp("door")) as start:
        yield start()


@pytest.fixture
def unguarded(_unguarded: Served) -> Served:
    """A door without tokens that has nothing to say, shared by the tests of a module."""
    _unguarded.asked.clear()
    return _unguarded


@contextmanager
def _serving_in(folder: Path) -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(
            answer: Callable[[Request], Answer] = cards,
            issuers: list[Issuer] | None = None,
            origins: tuple[str, ...] = (),
            record: Callable[[Result], None] | None = None,
            services: Mapping[str, Service] | None = None,
            used_tokens: Database | None = None,
        ) -> Served:
            asked: list[Request] = []

            def noting(request: Request) -> Answer:
                asked.append(request)
                return answer(request)

            verifier = None
            if issuers is not None:
                used = UsedTokens(used_tokens or stack.enter_context(opened(database_in(folder))))
                verifier = Verifier.of(Issuers(issuers=tuple(issuers)), folder, BASE, used)
            (folder / "counts").mkdir(exist_ok=True)
            audit, metrics = Audit(folder / "audit"), Metrics(folder / "counts")
            means = Means(noting, services or {}, verifier, audit, metrics, record)
            return Served(stack.enter_context(running_app(means, origins)), folder, asked)

        yield start


@contextmanager
def running_app(means: Means, origins: tuple[str, ...] = ()) -> Iterator[str]:
    """Serves the application in this process; gives its URL."""
    listening = listen("127.0.0.1", 0, "cds")
    server = uvicorn.Server(configured(create_app(means, origins)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    url = url_of(listening)
    thread.start()
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join()


def entry_of(one: Caller, folder: Path, **more: Any) -> Issuer:
    """Returns an EHR as an issuers file in the folder lists it, and writes its keys there."""
    file = folder / f"{one.kid.strip('+/=').replace('/', '_')}.json"
    file.write_bytes(orjson.dumps(one.keys))
    return Issuer(issuer=one.issuer, jwks=file.name, **more)


@pytest.fixture
def listed(tmp_path: Path) -> Callable[..., Issuer]:
    """listed(caller) returns an EHR as an issuers file lists it, its keys in a file."""
    return lambda one, **more: entry_of(one, tmp_path, **more)


@pytest.fixture
def raw() -> Callable[..., socket.socket]:
    """raw(url) returns a connection to it."""

    def connect(url: str) -> socket.socket:
        host, _, port = url.removeprefix("http://").partition(":")
        return socket.create_connection((host, int(port)), timeout=60)

    return connect
