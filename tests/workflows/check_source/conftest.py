"""The embedded server with two stays, and a wire to it that takes abilities away."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter

from wardround.demo.fhir_server.running import running_server
from wardround.fhir.client import FhirEndpoint
from wardround.spec.loading import load_server_profiles
from wardround.workflows.check_source import SourceCheck, check_source

Form = dict[str, str]


class Lacking(HTTPAdapter):
    """Real HTTP to a server that refuses some requests, and to which some search parameters do not come through.

    Attributes:
        refuse: method, path and parameters of a request -> the status to answer instead of the server, or None.
        drop: names of parameters that the server does not see.
        instead: path of a request -> status, Content-Type and body to answer instead of the server.
        alter: what happens to RiskAssessments on their way back.
    """

    def __init__(self, refused: Callable[[requests.PreparedRequest, int], requests.Response]) -> None:
        super().__init__()
        self._refused = refused
        self.refuse: Callable[[str, str, Form], int | None] = lambda _method, _path, _form: None
        self.drop: tuple[str, ...] = ()
        self.instead: Callable[[str], tuple[int, str, bytes]] | None = None
        self.alter: Callable[[dict[str, Any]], None] | None = None
        self.sent: list[tuple[str, str]] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        method, parts = str(request.method), urlsplit(str(request.url))
        self.sent.append((method, parts.path))
        if self.instead:
            return _response(request, *self.instead(parts.path))
        posted = parts.path.endswith("_search")
        body = request.body.decode() if isinstance(request.body, bytes) else str(request.body or "")
        form = dict(parse_qsl(body if posted else parts.query))
        status = self.refuse(method, parts.path.removeprefix("/fhir").strip("/"), form)
        if status is not None:
            return self._refused(request, status)
        if not posted:
            rest = [(name, value) for name, value in parse_qsl(parts.query) if name not in self.drop]
            request.url = parts._replace(query=urlencode(rest)).geturl()
        response = super().send(request, *args, **kwargs)
        if self.alter and parts.path.endswith("/RiskAssessment"):
            body = response.json()
            for entry in body.get("entry", []):
                self.alter(entry["resource"])
            response._content = json.dumps(body).encode()
        return response


def _response(request: requests.PreparedRequest, status: int, kind: str, body: bytes) -> requests.Response:
    response = requests.Response()
    response.request, response.url, response.status_code = request, str(request.url), status
    response.headers["Content-Type"] = kind
    response._content = body
    return response


@pytest.fixture(scope="session")
def running() -> Iterator[str]:
    # Pages are small, so that two stays fill several.
    with running_server(cap=10) as server:
        yield server.base_url


@pytest.fixture
def ward(running: str, icu) -> str:
    """The base URL of a server with two stays, and a Location."""
    icu.resources.append({"resourceType": "Location", "id": "icu", "name": "MICU"})
    icu.stay("a")
    icu.stay("b")
    icu.upload(running)
    return running


@pytest.fixture
def wire(refused) -> Lacking:
    return Lacking(refused)


@pytest.fixture
def check(ward: str, wire: Lacking, schemas) -> Callable[..., SourceCheck]:
    def run(**options: Any) -> SourceCheck:
        return check_source(FhirEndpoint(ward), load_server_profiles(schemas), transport=wire, **options)

    return run


@pytest.fixture
def assessments(ward: str, held_at) -> Callable[[], list[dict[str, Any]]]:
    """The RiskAssessments on the server."""
    return partial(held_at, ward, "RiskAssessment")
