"""Tests that search, export and folder find the same stays, for every form of location, status and time."""

import json
from dataclasses import replace
from itertools import cycle, product
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.readers.odd import ACT, AS_OF, ELSEWHERE, LOINC, UCUM
from tests.readers.three import SCREENED, Read, assert_same, by_folder, by_screening

from wardround.demo.fhir_server.running import running_server
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import settings_from
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.spec.cohorts import Encounters
from wardround.spec.loading import load_condition

ICU = ("MICU",)
# A bed in a room in the unit; a ward; and two Locations that are each a part of the other.
PART_OF = {"unit": None, "room": "unit", "bed": "room", "ward": None, "ring": "gnir", "gnir": "ring"}
PLACES = ["Location/unit", "Location/room", "Location/bed", "Location/ward", "Location/ring", "Location/nowhere",
          f"{ELSEWHERE}/Location/unit"]  # fmt: skip
STATUSES = [None, "planned", "reserved", "active", "completed"]
STINTS: list[dict[str, str] | None] = [
    None,
    {"start": "2026-03-09T12:00:00Z"},
    {"start": "2026-03-09T12:00:00Z", "end": "2026-03-09T20:00:00Z"},
    {"start": "2026-03-09T12:00:00Z", "end": "2026-03-11T20:00:00Z"},
    {"start": "2026-03-10T09:00:00Z"},
    {"end": "2026-03-11T20:00:00Z"},
    {"start": "2026-03-09"},
    {"start": "2026-03-10"},
]
# What an Observation says of its time; a value after as_of and one of long ago are none of ours.
TIMES = [
    {"effectiveDateTime": "2026-03-10T02:00:00Z"},
    {"effectiveDateTime": "2026-03-10T02:00:00.123456-05:00"},
    {"effectiveDateTime": "2026-03-10"},
    {"effectiveDateTime": "2026-03"},
    {"effectiveDateTime": "2026-03-10T05:00:00Z"},
    {"effectiveDateTime": "2026-03-10T05:00:00.001Z"},
    {"effectiveDateTime": "2026-03-09T05:00:00Z"},
    {"effectiveDateTime": "2026-03-09T04:59:59.999Z"},
    {"effectivePeriod": {"start": "2026-03-09T23:00:00Z", "end": "2026-03-10T02:00:00Z"}},
    {"effectivePeriod": {"start": "2026-03-08T23:00:00Z", "end": "2026-03-10T06:00:00Z"}},
    {"effectivePeriod": {"start": "2026-03-10T01:00:00Z"}},
    {"effectivePeriod": {"end": "2026-03-10T01:00:00Z"}},
    {"effectiveInstant": "2026-03-10T03:00:00.5Z"},
    {},
]


def resources() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for key, whole in PART_OF.items():
        part_of = {"partOf": {"reference": f"Location/{whole}"}} if whole else {}
        name = "MICU" if key == "unit" else f"The {key}"
        found.append({"resourceType": "Location", "id": key, "name": name, **part_of})
    times = cycle(TIMES)
    for number, (place, status, stint) in enumerate(product(PLACES, STATUSES, STINTS)):
        part = {"location": {"reference": place}, "status": status, "period": stint}
        found += [
            {"resourceType": "Patient", "id": f"p-{number}", "gender": "male", "birthDate": "1960-05-05"},
            {
                "resourceType": "Encounter",
                "id": f"e-{number}",
                "status": "in-progress",
                "class": {"system": ACT, "code": "IMP"},
                "subject": {"reference": f"Patient/p-{number}"},
                "period": {"start": "2026-03-09T03:00:00Z"},
                "location": [{name: value for name, value in part.items() if value is not None}],
            },
            *(
                {
                    "resourceType": "Observation",
                    "id": f"o-{number}-{place}",
                    "status": "final",
                    "code": {"coding": [{"system": LOINC, "code": code}]},
                    "subject": {"reference": f"Patient/p-{number}"},
                    "valueQuantity": {"value": 80 + place, "unit": "/min", "system": UCUM, "code": "/min"},
                    **next(times),
                }
                for place, code in enumerate(("8867-4", "8867-4", "8867-4"))
            ),
        ]
    return found


@pytest.fixture(scope="module")
def read(schemas: Path, trained_models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Read]:
    """Returns what each reader makes of all resources."""
    sepsis, folder = load_condition("sepsis", schemas), tmp_path_factory.mktemp("places")
    settings = replace(settings_from(), runs=str(folder / "runs"), var=folder, models=trained_models)
    (folder / "ndjson").mkdir()
    (folder / "ndjson" / "all.ndjson").write_text("\n".join(map(json.dumps, resources())) + "\n")
    with running_server() as server:
        entries = [
            {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
            for one in resources()
        ]
        batch = {"resourceType": "Bundle", "type": "batch", "entry": entries}
        answer = requests.post(server.base_url, json=batch, timeout=60).json()
        assert {entry["response"]["status"][:3] for entry in answer["entry"]} == {"201"}
        source = FhirEndpoint(server.base_url, icu_classes=(), icu_locations=ICU)
        made = {way: by_screening(way, source, sepsis, AS_OF, settings) for way in ("search", "export")}
    by_place = Encounters(locations=ICU)
    return {**made, "folder": by_folder(FhirFolderSource(folder / "ndjson", by_place), sepsis, AS_OF)}


@pytest.mark.parametrize("way", ["export", "folder"])
def test_search_and_the_other_readers_find_the_same_stays(way: str, read: dict[str, Read]) -> None:
    # No search by date finds what has no time at all; no value is read of it by any way.
    assert_same(read["search"], read[way], unseen=frozenset({"no_time"}))
    assert_same(read["export"], read[way])


def account_of(read: Read, place: str, status: str | None, stint: dict[str, str] | None) -> str | None:
    number = list(product(PLACES, STATUSES, STINTS)).index((place, status, stint))
    return read.account.get(f"e-{number}")


def test_who_lies_in_the_unit_or_inside_it_is_screened_and_nobody_else(read: dict[str, Read]) -> None:
    search = read["search"]
    for inside in ("Location/unit", "Location/room", "Location/bed"):
        for status in (None, "active"):
            assert account_of(search, inside, status, STINTS[1]) == SCREENED
        assert account_of(search, inside, "active", STINTS[3]) == SCREENED
        assert account_of(search, inside, "active", STINTS[2]) != SCREENED, "left nine hours before"
        for status in ("planned", "reserved", "completed"):
            assert account_of(search, inside, status, None) != SCREENED, "never in it, or no longer"
    for outside in PLACES[3:]:
        assert {account_of(search, outside, status, stint) for status in STATUSES for stint in STINTS} == {None}
