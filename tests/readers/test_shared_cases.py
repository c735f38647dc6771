"""Tests small foreign inputs with known values: search, export and folder return the same values."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.readers.three import SCREENED, Read, assert_same, by_folder, by_screening

from wardround.demo.fhir_server.running import running_server
from wardround.errors import SourceDataError
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.sources.mimic import MimicFolder
from wardround.spec.conditions import Condition
from wardround.workflows.features import build_table

AS_OF = datetime(2026, 3, 10, 5, tzinfo=UTC)
PLACES = {"bed_in_icu": ("MICU",)}
READERS = ("search", "export", "folder")
# case -> variable -> the values that count.
VALUES: dict[str, dict[str, list[float]]] = {
    "s01": {"systolic_pressure": [121], "diastolic_pressure": [71], "mean_pressure": [88]},
    "s02": {"systolic_pressure": [141], "diastolic_pressure": [81]},
    "s10": {"heart_rate": [80]},
    "s13": {"lactate": [3.9]},
    "s14": {"lactate": []},
    "u02": {"lactate": [3.3], "creatinine": [2.2], "hemoglobin": [9.9], "sodium": [133]},
    "bed_in_icu": {"heart_rate": [80]},
}
ACCOUNTS = {"e15": {"e15-e": "deceased"}, "bed_in_icu": {"e06-e": SCREENED}}
SET_ASIDE = {"s10": ("Observation/s10-a", "heart_rate", "focus")}


@pytest.fixture
def server() -> Iterator[str]:
    with running_server() as running:
        yield running.base_url


@pytest.fixture
def read(shared_case, server: str, sepsis: Condition, settings: Settings):
    """read(case) returns what each reader makes of the case, by reader."""

    def all_three(case: str) -> dict[str, Read]:
        folder = shared_case(case)
        put(server, latest(resources_in(folder)))
        places = PLACES.get(case, ())
        source = FhirEndpoint(server, icu_locations=places)
        made = {way: by_screening(way, source, sepsis, AS_OF, settings) for way in ("search", "export")}
        return {**made, "folder": by_folder(FhirFolderSource(folder, source.icu), sepsis, AS_OF)}

    return all_three


def resources_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted(folder.glob("*.ndjson")) for line in file.read_text().splitlines()]


def latest(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the resources in the order in which a server got them."""
    return sorted(resources, key=lambda resource: resource.get("meta", {}).get("lastUpdated", ""))


def put(server: str, resources: list[dict[str, Any]]) -> None:
    for resource in resources:
        url = f"{server}/{resource['resourceType']}/{resource['id']}"
        requests.put(url, json=resource, timeout=30).raise_for_status()


@pytest.mark.parametrize("case", sorted({*VALUES, *ACCOUNTS, "f17"}))
def test_a_foreign_case_gives_the_right_values_by_every_reader(case: str, read) -> None:
    made: dict[str, Read] = read(case)
    for way in READERS:
        events = made[way].events
        for variable, values in VALUES.get(case, {}).items():
            assert events["value"][events["variable"] == variable].tolist() == pytest.approx(values), (way, variable)
        assert ACCOUNTS.get(case, made[way].account) == made[way].account
    for way in READERS[1:]:
        assert_same(made[READERS[0]], made[way])
    assert all(made[way].account for way in READERS)


@pytest.mark.parametrize(("case", "reading"), SET_ASIDE.items())
def test_what_does_not_count_is_set_aside_with_its_reason(case: str, reading: tuple[str, str, str], read) -> None:
    assert {way: made.set_aside[reading] for way, made in read(case).items()} == dict.fromkeys(READERS, 1)


def test_mimic_times_of_a_spreadsheet_are_refused(shared_case, sepsis: Condition) -> None:
    folder = shared_case("mimic_us_dates_chartevents")
    with pytest.raises(SourceDataError, match=r"chartevents\.csv\.gz, column charttime, row 1 \(0/0/00 00:00\)"):
        build_table(MimicFolder(folder), sepsis, AS_OF)
