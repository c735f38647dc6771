"""A hospital that plays the simulated ward's stays onto an embedded FHIR server."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random

import pytest

from wardround.demo.fhir_server.running import running_server
from wardround.demo.hospital.charts import Charts
from wardround.demo.hospital.feed import Feed
from wardround.demo.hospital.stays import Recorded
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint

BEGIN = datetime(2026, 3, 10, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def client() -> Iterator[FhirClient]:
    with running_server() as server, FhirClient(FhirEndpoint(server.base_url)) as client:
        yield client


@pytest.fixture
def feed_of(recorded: Recorded, client: FhirClient) -> Callable[[int, float, int], tuple[Feed, Charts]]:
    """Makes a hospital of a seed, a speed and a number of messages between two stays."""

    def make(seed: int, speed: float, every: int) -> tuple[Feed, Charts]:
        charts = Charts(client, f"{seed} {speed}", speed)
        charts.write_places(recorded.places)
        return Feed(recorded.stays, charts, Random(seed), f"T{seed}", every), charts

    return make
