"""A server that answers, a transport that counts and fails on demand, and one call that screens."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
import requests
import yaml
from requests.adapters import HTTPAdapter

from wardround.adapters.models.store import ModelStore
from wardround.demo.fhir_server.running import running_server
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.spec.loading import load_condition
from wardround.workflows.screen import Means, ScreeningRequest, check_quality, screen
from wardround.workflows.screen.screen import Gate


@pytest.fixture(scope="session")
def running() -> Iterator[str]:
    with running_server() as server:
        yield server.base_url


@pytest.fixture
def server(running: str) -> Iterator[str]:
    """The base URL of a server without a resource."""
    yield running
    with FhirClient(FhirEndpoint(running)) as client:
        names = ("RiskAssessment", "Provenance", "Device", "Group", "Observation", "Encounter", "Patient", "Location")
        kept = [f"{name}/{resource['id']}" for name in names for resource in client.search(name, {})]
        client.batch([{"request": {"method": "DELETE", "url": reference}} for reference in kept])


class Transport(HTTPAdapter):
    """Real HTTP that remembers what was sent; `refuse` may answer instead of the server, `rewrite` alter a body."""

    def __init__(self, refused: Callable[[requests.PreparedRequest, int], requests.Response]) -> None:
        super().__init__()
        self._refused = refused
        self.refuse: Callable[[str], int | None] = lambda _body: None  # body -> status
        self.rewrite: Callable[[str], str] | None = None
        self.under_way: Callable[[str], None] = lambda _path: None  # hears of each request that goes out
        self.sent: list[tuple[str, str]] = []  # path, body
        self.most_at_once = 0
        self._at_once = 0
        self._counting = Lock()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        body = request.body or ""
        text = body.decode() if isinstance(body, bytes) else str(body)
        self.sent.append((request.path_url, text))
        status = self.refuse(text)
        if status is None:
            if self.rewrite is not None:
                request.prepare_body(self.rewrite(text), None)
            with self._counted():
                self.under_way(request.path_url)
                return super().send(request, *args, **kwargs)
        return self._refused(request, status)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._counting:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            with self._counting:
                self._at_once -= 1

    @property
    def writes(self) -> list[str]:
        """The bodies of all batches, which are all that writes."""
        return [body for _, body in self.sent if body.startswith('{"resourceType":"Bundle"')]


@pytest.fixture
def transport(refused) -> Transport:
    return Transport(refused)


Screen = Callable[..., dict[str, Any]]


@pytest.fixture
def screened(server: str, settings: Settings, transport: Transport) -> Screen:
    """screened(**request) runs a screening for sepsis on the server and gives its summary."""

    def run(
        recognise: bool = False, gate: Gate = check_quality, installed: Settings = settings, **changes: Any
    ) -> dict[str, Any]:
        asked = {"condition": "sepsis", "source_url": server, "as_of": "2026-01-02T05:00:00Z", **changes}
        request = ScreeningRequest.model_validate(asked)
        source = FhirEndpoint(server, recognise=recognise)
        return screen(request, Means(source, installed, lambda *_: None, transport, gate=gate)).as_json()

    return run


@pytest.fixture
def with_quality(settings: Settings, tmp_path: Path) -> Callable[..., Settings]:
    """with_quality(max_set_aside=…, max_failed=…) is the installation with other limits in its condition."""

    def changed(**quality: float) -> Settings:
        home = tmp_path / "limits"
        shutil.copytree(settings.schemas, home / "include" / "schemas")
        spec = home / "include" / "schemas" / "conditions" / "sepsis.yaml"
        content = yaml.safe_load(spec.read_text())
        spec.write_text(yaml.safe_dump({**content, "quality": quality}, sort_keys=False))
        return replace(settings, home=home)

    return changed


@pytest.fixture
def with_thresholds(with_card: Callable[..., Settings]) -> Callable[..., Settings]:
    """with_thresholds(moderate=…, high=…) is the installation whose live model has other thresholds."""
    return lambda **thresholds: with_card(thresholds=thresholds)


@pytest.fixture
def with_card(settings: Settings, tmp_path: Path) -> Callable[..., Settings]:
    """with_card(thresholds=…, training_hours=…) is the installation whose live model's card says this instead."""

    def changed(**content: Any) -> Settings:
        mine = replace(settings, models=tmp_path / "changed")
        condition, store = load_condition("sepsis", settings.schemas), ModelStore(settings.models)
        card = store.card("sepsis", store.live_version("sepsis"))
        files = {name: (settings.models / "sepsis" / card.version / name).read_bytes() for name in card.files}
        ModelStore(mine.models).save("sepsis", card.model_copy(update=content), files)
        ModelStore(mine.models).promote(condition, card.version, by="tests", why="tests")
        return mine

    return changed


Held = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def held(server: str, held_at) -> Held:
    """held(type) gives all resources of a type that the server holds, by id."""
    return partial(held_at, server)
