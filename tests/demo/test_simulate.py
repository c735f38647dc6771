"""The synthetic ward on disk: MIMIC CSVs and FHIR of the same stays."""

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from wardround.demo.commands.simulate import command
from wardround.demo.simulate import Plan, Simulated, simulate
from wardround.sources.mimic import ids
from wardround.spec.loading import load_variables

NOW = pd.Timestamp("2026-01-02T05:00:00Z")
PLAN = Plan(stays=30, discharged=90, seed=5, now=NOW)


@pytest.fixture(scope="module")
def ward(schemas: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Simulated]:
    out = tmp_path_factory.mktemp("ward")
    return out, simulate(PLAN, out, load_variables(schemas), lambda _: None)


def resources(folder: Path, name: str) -> list[dict[str, Any]]:
    with gzip.open(folder / "fhir" / f"{name}.ndjson.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / "mimic" / f"{name}.csv.gz")


def test_the_open_stays_of_the_csvs_are_the_encounters_in_progress(ward: tuple[Path, Simulated]) -> None:
    folder, _ = ward
    stays = table(folder, "icu/icustays")
    open_stays = {ids.stay_id(number) for number in stays["stay_id"][stays["outtime"].isna()]}
    encounters = resources(folder, "MimicEncounterICU")
    in_progress = {e["id"] for e in encounters if e["status"] == "in-progress"}
    assert len(in_progress) == PLAN.stays
    assert in_progress == open_stays
    assert all("end" not in e["period"] for e in encounters if e["id"] in in_progress)


def test_the_fhir_files_have_the_ward_and_those_who_left_in_the_last_day(ward: tuple[Path, Simulated]) -> None:
    folder, made = ward
    ended = [pd.Timestamp(e["period"]["end"]) for e in resources(folder, "MimicEncounterICU") if "end" in e["period"]]
    assert ended
    assert all(NOW - pd.Timedelta(hours=24) < end <= NOW for end in ended)
    assert made.fhir["MimicPatient"] == PLAN.stays + len(ended)
    assert made.mimic["icustays"] == PLAN.stays + PLAN.discharged


def test_every_open_encounter_has_the_patients_location(ward: tuple[Path, Simulated]) -> None:
    folder, _ = ward
    known = {f"Location/{location['id']}" for location in resources(folder, "MimicLocation")}
    for encounter in resources(folder, "MimicEncounterICU"):
        places = encounter["location"]
        assert {place["location"]["reference"] for place in places} <= known
        assert ("end" in places[-1]["period"]) == ("end" in encounter["period"])


def test_observations_refer_to_existing_patients(ward: tuple[Path, Simulated]) -> None:
    folder, _ = ward
    patients = {f"Patient/{patient['id']}" for patient in resources(folder, "MimicPatient")}
    for name in ("MimicObservationChartevents", "MimicObservationLabevents"):
        found = resources(folder, name)
        assert found
        assert {observation["subject"]["reference"] for observation in found} <= patients
        assert max(pd.Timestamp(observation["issued"]) for observation in found) <= NOW


def test_the_same_plan_gives_the_same_bytes(ward: tuple[Path, Simulated], schemas: Path, tmp_path: Path) -> None:
    folder, _ = ward
    simulate(PLAN, tmp_path, load_variables(schemas), lambda _: None)
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert paths == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert all((folder / path).read_bytes() == (tmp_path / path).read_bytes() for path in paths)


def test_another_seed_gives_other_patients(ward: tuple[Path, Simulated], schemas: Path, tmp_path: Path) -> None:
    folder, _ = ward
    simulate(Plan(stays=5, discharged=0, seed=6, now=NOW), tmp_path, load_variables(schemas), lambda _: None)
    ours, theirs = table(folder, "icu/chartevents"), table(tmp_path, "icu/chartevents")
    assert not ours["valuenum"].head(50).equals(theirs["valuenum"].head(50))


def test_the_command_counts_what_it_wrote_as_json(tmp_path: Path) -> None:
    arguments = ["--stays", "3", "--seed", "1", "--now", "2026-01-02T00:00:00-05:00", "--discharged", "2"]
    result = CliRunner().invoke(command, [*arguments, "--out", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["now"] == "2026-01-02T05:00:00+00:00"
    assert found["mimic"]["icustays"] == 5
    assert found["fhir"]["MimicEncounterICU"] == 3


def test_a_time_without_an_offset_is_refused(tmp_path: Path) -> None:
    arguments = ["--stays", "3", "--seed", "1", "--now", "2026-01-02T00:00:00", "--out", str(tmp_path)]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert "has no offset" in result.stderr
