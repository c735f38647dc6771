"""HAPI FHIR's JPA server on two databases, with a simulated ward; `make test-hapi` runs these tests."""

import gzip
import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.adapters.database import throwaway_postgresql
from tests.hapi.launcher import Hapi, NotBuilt, in_file, in_memory, in_postgresql, running
from tests.hapi.screening import recognised

from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.references import Resource
from wardround.settings import Settings, settings_from
from wardround.workflows.seed import seed


@pytest.fixture(scope="session", params=["h2", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hapi]:
    """The server of this session on each database."""
    folder = tmp_path_factory.mktemp(f"hapi-{request.param}")
    try:
        if request.param == "h2":
            with running(in_file(folder), folder) as hapi:
                yield hapi
        else:
            with throwaway_postgresql.running() as postgresql:
                who = throwaway_postgresql.USER, throwaway_postgresql.PASSWORD
                with running(in_postgresql(postgresql.port, postgresql.new_database(), *who), folder) as hapi:
                    yield hapi
    except NotBuilt as error:
        pytest.fail(str(error))


@pytest.fixture(scope="module")
def small_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FhirEndpoint]:
    """A server of its own, empty, that gives pages of 50 at most."""
    try:
        with running({**in_memory(), "page": 50}, tmp_path_factory.mktemp("hapi")) as hapi:
            yield recognised(hapi.base_url)
    except NotBuilt as error:
        pytest.fail(str(error))


@pytest.fixture(scope="session")
def ward(simulated_ward, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulated ward with the Observations of its last hours, so that it is loaded in seconds."""
    folder, since = tmp_path_factory.mktemp("ward"), simulated_ward.now - timedelta(hours=6)
    for file in simulated_ward.fhir.iterdir():
        with gzip.open(file, "rt") as read, gzip.open(folder / file.name, "wt") as write:
            write.writelines(line for line in read if _counts(json.loads(line), since))
    return folder


def _counts(resource: Resource, since: datetime) -> bool:
    return resource["resourceType"] != "Observation" or datetime.fromisoformat(resource["effectiveDateTime"]) >= since


@pytest.fixture(scope="session")
def filled(server: Hapi, ward: Path) -> Hapi:
    """The server with the ward in it, which `wardround seed` put there."""
    with FhirClient(recognised(server.base_url)) as client:
        seeded = seed(client, ward, lambda *_: None)
    assert seeded.skipped == {}
    return server


@pytest.fixture
def source(filled: Hapi) -> FhirEndpoint:
    """The filled server, which runs even if a test before killed it."""
    filled.start()
    return recognised(filled.base_url)


_MINUTES = itertools.count(1)


@pytest.fixture
def as_of(simulated_ward) -> str:
    """A prediction time for which nothing was written yet."""
    return (simulated_ward.now + timedelta(minutes=next(_MINUTES))).isoformat().replace("+00:00", "Z")


@pytest.fixture
def settings(trained_models: Path, tmp_path: Path) -> Settings:
    return replace(settings_from(), var=tmp_path, runs=str(tmp_path / "runs"), models=trained_models)
