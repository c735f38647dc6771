"""300 patients in Synthea's shapes: search, export and folder read the same, and no value is lost or made up."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
import requests
from tests.synthea.counted import Codes, Value, per_code, values_in
from tests.synthea.hospital import NOW, hospital_information, population, write_ndjson

from wardround.core import run_files
from wardround.demo.fhir_server.running import running_server
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings, settings_from
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.spec.cohorts import Encounters
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_condition
from wardround.workflows.features import build_table
from wardround.workflows.screen import Means, ScreeningRequest, screen
from wardround.workflows.screen.run import load_run

PATIENTS = 300
# What the embedded server keeps; Synthea's exporter leaves out the rest when it is told so.
KEPT = frozenset({"Patient", "Encounter", "Observation"})
ICU_CLASSES = ("IMP",)


class Screened(NamedTuple):
    """A run: its summary, ledger, features, and the readings that it accounts for (source_ref, variable)."""

    summary: dict[str, Any]
    ledger: pd.DataFrame
    features: pd.DataFrame
    readings: pd.DataFrame


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The patients as NDJSON."""
    folder = tmp_path_factory.mktemp("synthea")
    write_ndjson(population(PATIENTS), folder)
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server that the same patients were posted to, Bundle by Bundle; it gave them ids of its own."""
    with running_server() as running, requests.Session() as session:
        for bundle in (hospital_information(), *(patient.transaction(KEPT) for patient in population(PATIENTS))):
            answer = session.post(running.base_url, json=bundle, timeout=60)
            assert answer.status_code == 200, answer.text[:500]
        yield running.base_url


@pytest.fixture(scope="module")
def settings(trained_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("runs")
    return replace(settings_from(), runs=str(folder), var=folder, models=trained_models)


@pytest.fixture(scope="module")
def sepsis(schemas: Path) -> Condition:
    return load_condition("sepsis", schemas)


@pytest.fixture(scope="module")
def searched(server: str, settings: Settings) -> Screened:
    return screened("search", server, settings)


@pytest.fixture(scope="module")
def exported(server: str, settings: Settings) -> Screened:
    return screened("export", server, settings)


def screened(cohort: str, server: str, settings: Settings) -> Screened:
    asked = {"condition": "sepsis", "source_url": server, "as_of": NOW, "cohort": cohort, "mode": "shadow"}
    source = FhirEndpoint(server, icu_classes=ICU_CLASSES)
    summary = screen(ScreeningRequest.model_validate(asked), Means(source, settings, lambda *_: None)).as_json()
    run = load_run(summary["run"], settings)

    def of_all(name: str) -> pd.DataFrame:
        files = (run_files.of_chunk(chunk, f"{name}.parquet") for chunk in run.chunks())
        return pd.concat([run.folder.read_frame(file) for file in files], ignore_index=True)

    accounted = [of_all(name)[["source_ref", "variable"]] for name in ("events", "set_aside")]
    features = of_all("features").sort_values("stay_id", ignore_index=True)
    return Screened(summary, run.folder.read_frame("ledger.parquet"), features, pd.concat(accounted, ignore_index=True))


def everything(server: str, kind: str) -> Iterator[dict[str, Any]]:
    """All resources of a type, read page by page without Wardround."""
    url: str | None = f"{server}/{kind}?_count=1000"
    while url:
        page = requests.get(url, timeout=60).json()
        yield from (entry["resource"] for entry in page.get("entry", []))
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)


def codes_of(condition: Condition) -> dict[str, Codes]:
    return {
        name: Codes(frozenset(variable.all_codes()), frozenset(variable.panel_codes()))
        for name, variable in condition.variables.items()
    }


def test_every_patient_in_intensive_care_is_found_and_scored(searched: Screened) -> None:
    assert searched.summary["scored"] == PATIENTS * 2 // 3
    assert searched.summary["failed"] == 0


def test_search_and_export_give_one_ledger_and_the_same_features(searched: Screened, exported: Screened) -> None:
    pd.testing.assert_frame_equal(searched.ledger, exported.ledger)
    pd.testing.assert_frame_equal(searched.features, exported.features, rtol=0, atol=1e-9)


def test_a_folder_gives_the_features_that_the_server_gives(
    folder: Path, server: str, searched: Screened, sepsis: Condition
) -> None:
    table = build_table(FhirFolderSource(folder, Encounters(classes=ICU_CLASSES)), sepsis, NOW)
    own_id = {one["id"]: one["identifier"][0]["value"] for one in everything(server, "Encounter")}
    theirs = searched.features.assign(stay_id=searched.features["stay_id"].map(own_id))
    theirs = theirs.sort_values("stay_id", ignore_index=True)
    pd.testing.assert_frame_equal(table.features, theirs[list(table.features)], rtol=0, atol=1e-9)


@pytest.mark.parametrize("way", ["searched", "exported"])
def test_every_value_comes_out_once_and_no_other_does(
    way: str, server: str, sepsis: Condition, request: pytest.FixtureRequest
) -> None:
    run: Screened = request.getfixturevalue(way)
    patients = frozenset(run.ledger["patient_id"][run.ledger["outcome"] == "scored"])
    resources = everything(server, "Observation")
    there = values_in(resources, codes_of(sepsis), patients, NOW - sepsis.longest_window, NOW)
    code_of = {(value.observation, value.variable): value.code for value in there}
    out = [
        Value(name, variable, code_of.get((name, variable), "unexpected"))
        for name, variable in zip(
            run.readings["source_ref"].str.removeprefix("Observation/"), run.readings["variable"], strict=True
        )
    ]
    assert per_code(out) == per_code(there)
    assert sorted(out) == sorted(there)
    assert len(there) > 50 * len(patients)
