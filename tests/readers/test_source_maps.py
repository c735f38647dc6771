"""Tests local codes and units, translated by a source map: search, export and folder read them the same."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.readers.three import Read, assert_same, by_folder, by_screening

from wardround.adapters.files.run_folder import RunFolder, runs_in
from wardround.demo.fhir_server.running import running_server
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.sources.fhir.unmapped import Unmapped
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_condition, load_source_map, load_variables

AS_OF = datetime(2026, 3, 10, 5, tzinfo=UTC)
HOUSE, LOINC, UCUM = "urn:oid:1.2.3.4", "http://loinc.org", "http://unitsofmeasure.org"
MAP = f"""\
version: 1
title: Our monitors and laboratory
codes:
  - system: {HOUSE}
    means: {{PULS: heart_rate, LAKT: lactate, SYS: systolic_pressure}}
  - system: {HOUSE}
    to: {LOINC}
    means: {{RR: 85354-9}}
units: {{Schläge pro Minute: /min, mmol: mmol/L}}
"""


def quantity(value: float, unit: str, **more: str) -> dict[str, Any]:
    return {"valueQuantity": {"value": value, "unit": unit, **more}}


def coded(*codings: tuple[str, str]) -> dict[str, Any]:
    return {"code": {"coding": [{"system": system, "code": code} for system, code in codings]}}


MMHG = {"code": "mm[Hg]", "system": UCUM}
OBSERVATIONS = {
    "pulse": {**coded((HOUSE, "PULS")), **quantity(91, "Schläge pro Minute")},
    "lactate": {**coded((HOUSE, "LAKT")), **quantity(3.1, "mmol")},
    # The house's panel, with the house's own and with generic codes for its components.
    "house-panel": {
        **coded((HOUSE, "RR")),
        "component": [
            {**coded((HOUSE, "SYS")), **quantity(131, "mm Hg", **MMHG)},
            {**coded((LOINC, "8462-4")), **quantity(71, "mm Hg", **MMHG)},
        ],
    },
    "own-panel": {
        **coded((LOINC, "85354-9")),
        "component": [{**coded((HOUSE, "SYS")), **quantity(127, "mm Hg", **MMHG)}],
    },
    # Not told by the map, or told in another place.
    "other-system": {**coded(("urn:oid:9.9", "PULS")), **quantity(40, "/min", code="/min", system=UCUM)},
    "other-panel": {
        **coded((HOUSE, "PAP")),
        "component": [{**coded((HOUSE, "SYS")), **quantity(28, "mm Hg", **MMHG)}],
    },
}
VALUES = {
    "heart_rate": [91],
    "lactate": [3.1],
    "systolic_pressure": [127, 131],
    "diastolic_pressure": [71],
}


def resources() -> Iterator[dict[str, Any]]:
    yield {"resourceType": "Patient", "id": "p", "gender": "male", "birthDate": "1960-01-01"}
    yield {
        "resourceType": "Encounter",
        "id": "e",
        "status": "in-progress",
        "class": {"code": "ACUTE"},
        "subject": {"reference": "Patient/p"},
        "period": {"start": "2026-03-09T05:00:00Z"},
    }
    for name, content in OBSERVATIONS.items():
        about = {"subject": {"reference": "Patient/p"}, "effectiveDateTime": "2026-03-10T03:00:00Z"}
        yield {"resourceType": "Observation", "id": name, "status": "final", **about, **content}


@pytest.fixture(scope="module")
def read(
    sepsis: Condition, settings: Settings, schemas: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Read]:
    folder = tmp_path_factory.mktemp("house")
    (folder / "all.ndjson").write_text("\n".join(json.dumps(one) for one in resources()) + "\n")
    (folder / "map.yaml").write_text(MAP)
    translation = load_source_map(folder / "map.yaml", schemas)
    with running_server() as server:
        for one in resources():
            url = f"{server.base_url}/{one['resourceType']}/{one['id']}"
            requests.put(url, json=one, timeout=30).raise_for_status()
        source = FhirEndpoint(server.base_url, translation=translation)
        made = {way: by_screening(way, source, sepsis, AS_OF, settings) for way in ("search", "export")}
    return {**made, "folder": by_folder(FhirFolderSource(folder, translation=translation), sepsis, AS_OF)}


@pytest.mark.parametrize("way", ["search", "export", "folder"])
def test_codes_and_units_of_the_house_are_read_as_the_map_says(way: str, read: dict[str, Read]) -> None:
    events = read[way].events
    found = {variable: sorted(frame["value"]) for variable, frame in events.groupby("variable")}
    assert found == VALUES


def test_an_export_and_a_folder_count_unmapped_codes(
    settings: Settings, schemas: Path, read: dict[str, Read], tmp_path: Path
) -> None:
    (exported,) = (run for run in runs_in(settings.runs) if RunFolder.of(settings.runs, run).exists("unmapped.json"))
    (tmp_path / "all.ndjson").write_text("\n".join(json.dumps(one) for one in resources()) + "\n")
    (tmp_path / "map.yaml").write_text(MAP)
    translation = load_source_map(tmp_path / "map.yaml", schemas)
    unmapped = Unmapped(load_variables(schemas), translation)
    by_folder(
        FhirFolderSource(tmp_path, translation=translation, unmapped=unmapped), load_condition("sepsis", schemas), AS_OF
    )
    counted = RunFolder.of(settings.runs, exported).read_json("unmapped.json")
    assert [(one["system"], one["code"], one["observations"]) for one in counted] == [
        (HOUSE, "PAP", 1),
        ("urn:oid:9.9", "PULS", 1),
    ]
    assert [asdict(one) for one in unmapped.codes.most_frequent()] == [
        {**one, "units": tuple(one["units"])} for one in counted
    ]
    assert '"PAP":' in RunFolder.of(settings.runs, exported).read_text("source-map.draft.yaml")


@pytest.mark.parametrize("way", ["export", "folder"])
def test_all_readers_agree(way: str, read: dict[str, Read]) -> None:
    assert_same(read["search"], read[way])
