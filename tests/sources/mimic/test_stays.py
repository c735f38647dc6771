"""Tests how icustays and related tables are read."""

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest

from wardround.core.stays import STAY_COLUMNS
from wardround.errors import SourceDataError
from wardround.sources.mimic import MimicFolder, ids
from wardround.sources.mimic.stays import HOSPITAL_COLUMNS


def test_a_stay_has_fhir_ids_utc_times_and_its_last_unit(mimic) -> None:
    stays = MimicFolder(mimic()).stays()
    assert {name: str(kind) for name, kind in stays.dtypes.items()} == STAY_COLUMNS | HOSPITAL_COLUMNS
    stay = stays.iloc[0]
    assert (stay["stay_id"], stay["patient_id"]) == (ids.stay_id(3), ids.patient_id(1))
    assert stay["intime"] == pd.Timestamp("2180-01-10T15:00Z")
    assert (stay["unit"], stay["sex"], stay["status"]) == ("SICU", "female", "finished")


def test_the_birth_date_is_anchor_age_years_before_the_first_transfer(mimic) -> None:
    assert MimicFolder(mimic()).stays()["birth_date"].tolist() == [pd.Timestamp("2119-02-28")]


def test_a_stay_without_an_end_is_in_progress(mimic) -> None:
    stay = MimicFolder(mimic(icustays=[{"outtime": ""}])).stays().iloc[0]
    assert pd.isna(stay["outtime"])
    assert stay["status"] == "in-progress"


def test_a_stay_has_the_outcome_of_the_hospital_stay(mimic) -> None:
    stay = MimicFolder(mimic()).stays().iloc[0]
    assert (stay["hospital_expire_flag"], stay["race"], stay["hadm_id"]) == (0, "WHITE", 2)
    assert stay["dischtime"] == pd.Timestamp("2180-01-20T15:00Z")
    assert pd.isna(stay["deathtime"])


def test_a_stay_without_a_patient_or_hospital_row_is_kept(mimic) -> None:
    stay = MimicFolder(mimic(icustays=[{"subject_id": 8, "hadm_id": 8}])).stays().iloc[0]
    assert pd.isna(stay["birth_date"])
    assert pd.isna(stay["hospital_expire_flag"])


def test_a_stay_without_an_admission_time_is_set_aside(mimic) -> None:
    found = MimicFolder(mimic(icustays=[{}, {"stay_id": 4, "intime": ""}])).find_stays()
    assert found.stays["stay_id"].tolist() == [ids.stay_id(3)]
    assert found.set_aside[["stay_id", "reason"]].to_numpy().tolist() == [[ids.stay_id(4), "no_admission_time"]]


def test_diagnoses_are_those_of_hospital_stays_with_an_icu_stay(mimic) -> None:
    assert MimicFolder(mimic()).diagnoses().to_numpy().tolist() == [[2, "A419", 10]]


def test_a_missing_table_is_named(mimic) -> None:
    folder = mimic()
    (folder / "hosp" / "transfers.csv").unlink()
    with pytest.raises(SourceDataError, match=r"transfers\.csv: not found"):
        MimicFolder(folder).stays()


@pytest.mark.mimic
def test_the_demos_stays_agree_with_the_official_fhir_files(mimic_demo: Path) -> None:
    stays = MimicFolder(mimic_demo).stays().set_index("stay_id")
    fhir = mimic_demo.parent / "mimic-iv-fhir-demo-2.1.0" / "fhir"
    with gzip.open(fhir / "MimicPatient.ndjson.gz") as lines:
        patients = {resource["id"]: resource for resource in map(json.loads, lines)}
    with gzip.open(fhir / "MimicEncounterICU.ndjson.gz") as lines:
        encounters = {resource["id"]: resource for resource in map(json.loads, lines)}
    assert set(stays.index) == set(encounters)
    for stay_id, stay in stays.iterrows():
        period = encounters[stay_id]["period"]
        assert stay["intime"] == pd.Timestamp(period["start"])
        assert stay["outtime"] == pd.Timestamp(period["end"])
        patient = patients[stay["patient_id"]]
        assert (f"{stay['birth_date']:%Y-%m-%d}", stay["sex"]) == (patient["birthDate"], patient["gender"])
