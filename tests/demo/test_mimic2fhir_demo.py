"""Compares the MIMIC demo's CSVs as FHIR with PhysioNet's own files, and checks the rules of a census."""

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from wardround.demo.mimic2fhir import Selection, Written, mimic2fhir
from wardround.spec.loading import load_variables

pytestmark = pytest.mark.mimic

NOW = pd.Timestamp("2026-01-02T05:00:00Z")


def read(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    with gzip.open(folder / f"{name}.ndjson.gz", "rt", encoding="utf-8") as file:
        resources = [json.loads(line) for line in file]
    assert len({r["id"] for r in resources}) == len(resources)
    return {resource["id"]: resource for resource in resources}


@pytest.fixture(scope="module")
def official(mimic_demo: Path) -> Path:
    return mimic_demo.parent / "mimic-iv-fhir-demo-2.1.0" / "fhir"


@pytest.fixture(scope="module")
def recorded(mimic_demo: Path, schemas: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("recorded")
    mimic2fhir(mimic_demo, out, Selection(load_variables(schemas)), lambda _: None)
    return out


@pytest.fixture(scope="module")
def census(mimic_demo: Path, schemas: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Written]:
    out = tmp_path_factory.mktemp("census")
    return out, mimic2fhir(mimic_demo, out, Selection(load_variables(schemas), rebase_to=NOW), lambda _: None)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("MimicOrganization", 1),
        ("MimicLocation", 31),
        ("MimicPatient", 100),
        ("MimicEncounter", 275),
        ("MimicEncounterICU", 140),
    ],
)
def test_resources_equal_the_official_ones_in_every_element(
    recorded: Path, official: Path, name: str, count: int
) -> None:
    ours, theirs = read(recorded, name), read(official, name)
    if name == "MimicEncounter":  # whose type is a billing code of hcpcsevents in 41 cases; billing is not read
        for resource in (*ours.values(), *theirs.values()):
            del resource["type"]
    assert len(ours) == count
    assert ours == theirs


def test_conditions_equal_the_official_ones_except_the_texts_of_a_few_codes(recorded: Path, official: Path) -> None:
    ours, theirs = read(recorded, "MimicCondition"), read(official, "MimicCondition")
    differing = 0
    for key, condition in ours.items():
        texts = [c["code"]["coding"][0].pop("display") for c in (condition, theirs[key])]
        differing += texts[0] != texts[1]
    assert ours == theirs
    assert differing == 39


def test_observations_refer_to_patients_and_encounters_that_were_written(recorded: Path) -> None:
    patients, hospital, icu = (read(recorded, n) for n in ("MimicPatient", "MimicEncounter", "MimicEncounterICU"))
    for name, encounters in (("MimicObservationChartevents", icu), ("MimicObservationLabevents", hospital)):
        for observation in read(recorded, name).values():
            assert observation["subject"]["reference"].removeprefix("Patient/") in patients
            if "encounter" in observation:
                assert observation["encounter"]["reference"].removeprefix("Encounter/") in encounters


def times_of(resource: Any) -> list[str]:
    if isinstance(resource, dict):
        return [t for key, value in resource.items() for t in times_of(value) if key not in ("birthDate", "value")]
    if isinstance(resource, list):
        return [t for item in resource for t in times_of(item)]
    return [resource] if isinstance(resource, str) and len(resource) == 25 and resource[10] == "T" else []


def test_a_census_has_every_patient_and_nothing_later_than_its_time(census: tuple[Path, Written]) -> None:
    folder, written = census
    assert written.left_out == 0
    assert written.counts["MimicPatient"] == 100
    for name in written.counts:
        times = [time for resource in read(folder, name).values() for time in times_of(resource)]
        assert not times or pd.to_datetime(times, utc=True).max() <= NOW


def test_a_census_has_stays_in_progress_and_a_few_that_have_just_ended(census: tuple[Path, Written]) -> None:
    folder, _ = census
    stays = list(read(folder, "MimicEncounterICU").values())
    open_stays = [s for s in stays if s["status"] == "in-progress"]
    assert all("end" not in s["period"] for s in open_stays)
    assert len({s["subject"]["reference"] for s in open_stays}) == len(open_stays)
    ended = pd.to_datetime([s["period"]["end"] for s in stays if s["status"] == "finished"], utc=True)
    just_left = (ended > NOW - pd.Timedelta("24h")).sum()
    assert len(open_stays) + just_left == 100
    assert 5 <= just_left <= 17
    hours = (NOW - pd.to_datetime([s["period"]["start"] for s in open_stays], utc=True)) / pd.Timedelta("1h")
    assert hours.min() < 12
    assert hours.max() > 96


def test_an_open_admission_in_a_census_has_no_discharge_and_no_diagnoses(census: tuple[Path, Written]) -> None:
    folder, _ = census
    admissions = read(folder, "MimicEncounter")
    still_open = {key for key, value in admissions.items() if value["status"] == "in-progress"}
    assert len(still_open) >= 80
    assert all("dischargeDisposition" not in admissions[key]["hospitalization"] for key in still_open)
    diagnosed = {c["encounter"]["reference"][10:] for c in read(folder, "MimicCondition").values()}
    assert diagnosed
    assert not diagnosed & still_open
    assert diagnosed <= admissions.keys()


def test_nobody_in_an_open_stay_is_deceased(census: tuple[Path, Written]) -> None:
    folder, _ = census
    patients = read(folder, "MimicPatient")
    present = {
        s["subject"]["reference"][8:]
        for s in read(folder, "MimicEncounterICU").values()
        if s["status"] == "in-progress"
    }
    assert not [key for key in present if "deceasedDateTime" in patients[key]]


def test_a_census_keeps_intervals_exact_and_ages_the_same(census: tuple[Path, Written], recorded: Path) -> None:
    folder, _ = census
    before, after = read(recorded, "MimicEncounterICU"), read(folder, "MimicEncounterICU")
    patients_before, patients_after = read(recorded, "MimicPatient"), read(folder, "MimicPatient")
    shifts: dict[str, set[pd.Timedelta]] = {}
    for key, stay in after.items():
        patient = stay["subject"]["reference"][8:]
        start_before, start_after = (pd.Timestamp(s["period"]["start"]) for s in (before[key], stay))
        shifts.setdefault(patient, set()).add(start_before - start_after)
        ages = [
            (start.tz_localize(None) - pd.Timestamp(patients[patient]["birthDate"])) / pd.Timedelta(days=365.25)
            for start, patients in ((start_before, patients_before), (start_after, patients_after))
        ]
        assert ages[0] == pytest.approx(ages[1], abs=3 / 365)
    assert all(len(each) == 1 for each in shifts.values())


def test_the_same_census_gives_the_same_bytes(
    census: tuple[Path, Written], mimic_demo: Path, schemas: Path, tmp_path: Path
) -> None:
    folder, _ = census
    mimic2fhir(mimic_demo, tmp_path, Selection(load_variables(schemas), rebase_to=NOW), lambda _: None)
    for path in sorted(folder.iterdir()):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()
