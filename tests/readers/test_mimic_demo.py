"""Tests the MIMIC demo as FHIR: search, export and folder read the same, and no value is lost or invented."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from tests.readers.three import SCREENED, Read, assert_same, by_folder, by_screening

from wardround.demo.fhir_server.running import running_server
from wardround.demo.mimic2fhir import Selection, mimic2fhir
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings, settings_from
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_variables

pytestmark = pytest.mark.mimic

AS_OF = datetime(2026, 1, 2, 5, tzinfo=UTC)
SYSTEMS = {
    "chartevents": "http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-chartevents-d-items",
    "labevents": "http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-d-labitems",
}
READERS = ("search", "export", "folder")


@pytest.fixture(scope="module")
def demo(mimic_demo: Path, schemas: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a ward of the demo's patients, as mimic2fhir writes it."""
    folder = tmp_path_factory.mktemp("demo")
    selection = Selection(load_variables(schemas), rebase_to=pd.Timestamp(AS_OF))
    mimic2fhir(mimic_demo, folder, selection, lambda _: None)
    return folder


@pytest.fixture(scope="module")
def read(
    demo: Path, sepsis: Condition, trained_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Read]:
    """Returns what each reader makes of it."""
    runs = tmp_path_factory.mktemp("runs")
    settings: Settings = replace(settings_from(), runs=str(runs), var=runs, models=trained_models)
    with running_server(demo) as server:
        source = FhirEndpoint(server.base_url)
        made = {way: by_screening(way, source, sepsis, AS_OF, settings) for way in ("search", "export")}
    return {**made, "folder": by_folder(FhirFolderSource(demo), sepsis, AS_OF)}


def lines_of(demo: Path, kind: str) -> Iterator[dict[str, Any]]:
    for file in sorted(demo.glob(f"Mimic{kind}*.ndjson.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def variable_of_code(schemas: Path, condition: Condition) -> dict[tuple[str, str], str]:
    content = yaml.safe_load((schemas / "variables.yaml").read_text(encoding="utf-8"))["variables"]
    return {
        (SYSTEMS[content[name]["mimic"]["table"]], str(item)): name
        for name in condition.variables
        for item in content[name]["mimic"]["itemids"]
    }


@pytest.mark.parametrize("way", READERS[1:])
def test_search_and_the_other_readers_agree_on_the_demo(way: str, read: dict[str, Read]) -> None:
    assert_same(read["search"], read[way])


@pytest.mark.parametrize("way", READERS)
def test_when_each_stay_of_the_demo_began_is_known_in_unit_and_hospital(
    way: str, read: dict[str, Read], demo: Path
) -> None:
    begins = {one["id"]: datetime.fromisoformat(one["period"]["start"]) for one in lines_of(demo, "Encounter")}
    wholes = {
        one["id"]: one["partOf"]["reference"].removeprefix("Encounter/") for one in lines_of(demo, "EncounterICU")
    }
    features = read[way].features.set_index("stay_id")
    assert len(features) > 80
    for stay, row in features.iterrows():
        for name, encounter in (("hours_in_unit", stay), ("hours_in_hospital", wholes[str(stay)])):
            assert row[name] == pytest.approx((AS_OF - begins[encounter]).total_seconds() / 3600, abs=1e-9), name


@pytest.mark.parametrize("way", READERS)
def test_every_value_of_the_demo_comes_out_once_and_no_other_does(
    way: str, read: dict[str, Read], demo: Path, sepsis: Condition, schemas: Path
) -> None:
    """Counts, from the lines alone, the ICU patients' Observations with a variable's code and a time in the window."""
    screened = {stay for stay, what in read[way].account.items() if what == SCREENED}
    stays = [stay for stay in lines_of(demo, "EncounterICU") if stay["id"] in screened]
    patients = {stay["subject"]["reference"] for stay in stays}
    variables, begin = variable_of_code(schemas, sepsis), AS_OF - sepsis.longest_window
    there = Counter(
        (f"Observation/{one['id']}", variables[coding["system"], coding["code"]])
        for one in lines_of(demo, "Observation")
        if one["subject"]["reference"] in patients
        and begin <= datetime.fromisoformat(one["effectiveDateTime"]) <= AS_OF
        for coding in one["code"]["coding"]
        if (coding["system"], coding["code"]) in variables
    )
    events, aside = read[way].events, read[way].set_aside
    out = Counter(zip(events["source_ref"], events["variable"], strict=True))
    for (source_ref, variable, _), number in aside.items():
        out[source_ref, variable] += number
    assert out - there == there - out == Counter()
    assert len(patients) == len(stays) > 80
    assert len({variable for _, variable in there}) > 20
