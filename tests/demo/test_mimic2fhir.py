"""Tests mimic2fhir on a small synthetic ward, without MIMIC."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from wardround.demo.commands.mimic2fhir import command
from wardround.demo.mimic2fhir import Selection, mimic2fhir
from wardround.demo.simulate import Plan, simulate
from wardround.errors import SourceDataError
from wardround.spec.loading import load_variables

NOW = pd.Timestamp("2026-01-02T05:00:00Z")
LATER = pd.Timestamp("2030-07-01T12:00:00Z")


@pytest.fixture(scope="module")
def mimic(schemas: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ward")
    simulate(Plan(stays=4, discharged=30, seed=2, now=NOW), out, load_variables(schemas), lambda _: None)
    return out / "mimic"


def lines(folder: Path, name: str) -> list[dict[str, Any]]:
    with gzip.open(folder / f"{name}.ndjson.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_only_items_that_a_variable_uses_are_written_unless_all_are_requested(
    mimic: Path, schemas: Path, tmp_path: Path
) -> None:
    variables = load_variables(schemas)
    some = mimic2fhir(mimic, tmp_path / "some", Selection(variables), lambda _: None)
    every = mimic2fhir(mimic, tmp_path / "all", Selection(None), lambda _: None)
    named = {str(item) for variable in variables.values() for item in variable.mimic.itemids}
    for name in ("MimicObservationChartevents", "MimicObservationLabevents"):
        assert {o["code"]["coding"][0]["code"] for o in lines(tmp_path / "some", name)} <= named
        assert some.counts[name] < every.counts[name]
    rows = pd.read_csv(mimic / "icu" / "chartevents.csv.gz")
    assert every.counts["MimicObservationChartevents"] == len(rows)


def test_a_patient_whose_only_stay_is_open_is_left_out_of_a_census_and_counted(
    mimic: Path, schemas: Path, tmp_path: Path
) -> None:
    written = mimic2fhir(mimic, tmp_path, Selection(load_variables(schemas), rebase_to=LATER), lambda _: None)
    patients = pd.read_csv(mimic / "hosp" / "patients.csv.gz")
    assert written.left_out == 4
    assert written.counts["MimicPatient"] == len(patients) - 4


def test_a_census_has_no_observation_that_was_stored_after_its_time(mimic: Path, schemas: Path, tmp_path: Path) -> None:
    mimic2fhir(mimic, tmp_path, Selection(load_variables(schemas), rebase_to=LATER), lambda _: None)
    for name in ("MimicObservationChartevents", "MimicObservationLabevents"):
        issued = [pd.Timestamp(observation["issued"]) for observation in lines(tmp_path, name)]
        assert max(issued) <= LATER
        assert max(issued) > LATER - pd.Timedelta(hours=12)


def test_a_missing_table_is_named_and_no_partial_file_is_left(mimic: Path, schemas: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(mimic, tmp_path / "mimic")
    (broken / "hosp" / "labevents.csv.gz").unlink()
    with pytest.raises(SourceDataError, match=r"labevents\.csv: not found"):
        mimic2fhir(broken, tmp_path / "out", Selection(load_variables(schemas)), lambda _: None)
    assert not list((tmp_path / "out").glob(".*"))
    assert not (tmp_path / "out" / "MimicObservationLabevents.ndjson.gz").exists()


def test_the_command_counts_what_it_wrote_as_json(mimic: Path, tmp_path: Path) -> None:
    arguments = ["--mimic", str(mimic), "--out", str(tmp_path), "--rebase-to", "2030-07-01T12:00:00Z", "--json"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["patients_left_out"] == 4
    assert found["resources"]["MimicEncounterICU"] > 20
