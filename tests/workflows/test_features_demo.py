"""MIMIC's CSVs and their FHIR form give the same features."""

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import running_server
from wardround.demo.mimic2fhir import Selection, mimic2fhir
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.sources.fhir.server import FhirServerSource
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.sources.mimic import MimicFolder
from wardround.spec.loading import load_condition, load_variables
from wardround.workflows.features import FeatureTable, build_table

pytestmark = pytest.mark.mimic
CONDITIONS = ("sepsis", "mortality")


@pytest.fixture(scope="module")
def fhir(mimic_demo: Path, schemas: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo as mimic2fhir writes it."""
    folder = tmp_path_factory.mktemp("fhir")
    mimic2fhir(mimic_demo, folder, Selection(load_variables(schemas)), lambda _name: None)
    return folder


@pytest.fixture(scope="module", params=CONDITIONS)
def tables(request, mimic_demo: Path, fhir: Path, schemas: Path) -> tuple[FeatureTable, FeatureTable]:
    condition = load_condition(request.param, schemas)
    sources = MimicFolder(mimic_demo), FhirFolderSource(fhir)
    csv, ndjson = (build_table(source, condition, timedelta(hours=24)) for source in sources)
    return csv, ndjson


def test_all_140_stays_have_equal_features(tables) -> None:
    csv, ndjson = tables
    assert len(csv.features) == 140
    pd.testing.assert_frame_equal(csv.features, ndjson.features, rtol=0, atol=1e-9)


def test_the_same_readings_are_set_aside(tables) -> None:
    csv, ndjson = tables
    assert csv.set_aside == ndjson.set_aside
    assert csv.set_aside["mean_pressure: implausible_value"] > 0
    assert csv.stays_set_aside == ndjson.stays_set_aside == {}


def test_the_demo_has_the_expected_values(tables) -> None:
    features = tables[0].features
    assert features["heart_rate__last_24h"].between(30, 200).all()
    assert features["body_temperature__max_24h"].dropna().between(30, 45).all()
    assert features["age"].between(18, 100).all()


def test_a_misbehaving_server_gives_equal_features_too(mimic_demo: Path, fhir: Path, schemas: Path) -> None:
    faults = (
        Fault(kind="status", status=429, retry_after=0, rate=0.05),
        Fault(kind="status", status=503, retry_after=0, rate=0.05),
        Fault(kind="truncate", rate=0.01),
    )
    condition, day = load_condition("sepsis", schemas), timedelta(hours=24)
    with running_server(fhir, cap=300) as server:
        server.misbehave(FaultPlan(seed=1, faults=faults))
        # One patient a search keeps the searched spans short: the demo's patients live in different decades.
        with FhirClient(FhirEndpoint(server.base_url, patients_per_search=1, threads=1)) as client:
            http = build_table(FhirServerSource(client, client.source.icu), condition, day)
    csv = build_table(MimicFolder(mimic_demo), condition, day)
    pd.testing.assert_frame_equal(csv.features, http.features, rtol=0, atol=1e-9)
    assert http.set_aside == csv.set_aside
