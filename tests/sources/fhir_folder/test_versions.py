"""Tests a folder with several versions of one resource: only the current one counts, whatever it contains."""

import json
import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.fhir.test_versions import ORDERS, T1, T2, T3

from wardround.sources.fhir_folder.places import Places
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.spec.loading import load_variables

Resource = dict[str, Any]
INDEX = pd.DataFrame(
    {
        "stay_id": ["e1", "e2"],
        "patient_id": ["a", "b"],
        "as_of": pd.to_datetime(["2026-01-02T12:00Z"] * 2).as_unit("us"),
    }
)


def of(resource: Resource, updated: object = None, **changes: Any) -> Resource:
    meta = {} if updated is None else {"meta": {"lastUpdated": updated}}
    return {**resource, **meta, **changes}


def deleted(*references: str, at: str | None = None) -> Resource:
    entries = [{"request": {"method": "DELETE", "url": reference}} for reference in references]
    return of({"resourceType": "Bundle", "type": "transaction", "entry": entries}, at)


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    """folder([…], […]) returns a folder with one file for each list."""

    def written(*files: list[Resource]) -> FhirFolderSource:
        for number, resources in enumerate(files):
            lines = "".join(f"{json.dumps(resource)}\n" for resource in resources)
            (tmp_path / f"{number}.ndjson").write_text(lines)
        return FhirFolderSource(tmp_path, patients_at_once=1)

    return written


@pytest.fixture
def values(folder, schemas: Path) -> Any:
    """values([…], […]) returns the patients and values that are read from such a folder."""

    def read(*files: list[Resource]) -> list[list[Any]]:
        parts = folder(*files).readings(INDEX, load_variables(schemas), timedelta(hours=24))
        readings = pd.concat([readings for _, readings in parts])
        return readings[["patient_id", "value"]].to_numpy().tolist()

    return read


@pytest.mark.parametrize(("versions", "counts"), ORDERS)
@pytest.mark.parametrize("apart", [False, True])
def test_only_the_latest_version_of_an_observation_is_read(values, pulse, versions, counts: int, apart: bool) -> None:
    given = [
        of(pulse, updated, valueQuantity={"value": 80 + place, "code": "/min"})
        for place, updated in enumerate(versions)
    ]
    other = of(pulse, T1, id="o2")
    files = [[other, one] for one in given] if apart else [[*given, other]]
    assert sorted(values(*files)) == sorted([["a", 80.0 + counts], ["a", 80.0]])


def test_a_value_that_json_does_not_allow_is_ignored_but_its_version_counts(values, pulse) -> None:
    bad = {"value": math.nan, "code": "/min"}
    old, new = of(pulse, T1, valueQuantity=bad), of(pulse, T2, id="o2", valueQuantity=bad)
    read = values([old, new, of(pulse, T2), of(pulse, T1, id="o2"), of(pulse, id="o3")])
    assert [value for _, value in read if not math.isnan(value)] == [80.0, 80.0]
    assert sum(math.isnan(value) for _, value in read) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]}},
        {"code": None},
        {"subject": {"reference": "Patient/z"}},
        {"subject": None},
        {"effectiveDateTime": "2025-01-01T00:00:00Z"},
    ],
)
def test_a_later_version_that_is_not_read_still_replaces_the_earlier_one(values, pulse, changes: Resource) -> None:
    assert values([of(pulse, T1), of(pulse, T2, **changes)]) == []
    assert values([of(pulse, T2, **changes), of(pulse, T1)]) == []
    assert values([of(pulse, T2), of(pulse, T1, **changes)]) == [["a", 80.0]]


def test_a_retraction_by_a_later_version_is_read_with_its_status(folder, schemas: Path, pulse) -> None:
    source = folder([of(pulse, T1), of(pulse, T2, status="entered-in-error")])
    (_, readings), _ = source.readings(INDEX, load_variables(schemas), timedelta(hours=24))
    assert readings["status"].tolist() == ["entered-in-error"]


def test_a_moved_observation_belongs_only_to_the_new_patient(values, pulse) -> None:
    assert values([of(pulse, T1)], [of(pulse, T2, subject={"reference": "Patient/b"})]) == [["b", 80.0]]


def test_a_malformed_version_counts_as_a_version(values, pulse) -> None:
    assert values([of(pulse), {**pulse, "meta": [], "code": 5}]) == []


def test_resources_of_two_types_with_one_id_are_not_versions_of_each_other(values, pulse, stay) -> None:
    reason = [{"reference": "Observation/o1", "type": "Observation"}]
    assert values([pulse, {**stay, "id": "o1", "reasonReference": reason}]) == [["a", 80.0]]


def test_observations_without_an_id_are_not_versions_of_each_other(values, pulse) -> None:
    assert len(values([{**pulse, "id": None}, {**pulse, "id": None}, {**pulse, "id": ""}, pulse, pulse])) == 4


@pytest.mark.parametrize(
    ("updated", "at", "stays"),
    [(None, None, False), (T3, None, False), (None, T1, False), (T2, T3, False), (T2, T1, True)],
)
def test_resources_listed_as_deleted_are_not_read(values, folder, pulse, stay, updated, at, stays: bool) -> None:
    resources = [of(pulse, updated), of(pulse, updated, id="o2"), of(stay, updated)]
    gone = deleted("Observation/o1", "Encounter/e1", at=at)
    for files in ([[gone], resources], [resources, [gone]]):
        assert len(values(*files)) == (2 if stays else 1)
        assert len(folder(*files).find_stays().stays) == (1 if stays else 0)


def test_the_latest_version_of_encounters_and_patients_counts(folder, stay) -> None:
    born = {"resourceType": "Patient", "id": "a", "birthDate": "1950-01-01"}
    files = [
        [of(stay, T2, status="cancelled"), of(born, T1, birthDate="1960-01-01"), of(stay, T1), of(born, T2)],
        [of(stay, T1, subject={"reference": "Patient/b"})],
    ]
    found = folder(*files).find_stays().stays.iloc[0]
    assert (found["status"], found["patient_id"], found["birth_date"].year) == ("cancelled", "a", 1950)


def test_a_folder_without_repeated_ids_is_read_only_once(pulse) -> None:
    lines = Places()
    assert [lines.note(one) for one in ("Observation/o1", "Observation/o2", None, None)] == [0, 1, 2, 3]

    def read_again() -> list[bytes]:
        raise AssertionError("read again")

    assert len(lines.outdated(read_again, lambda _: ("", None))) == 0
