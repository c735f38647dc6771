"""`wardround labels`."""

import json
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
from click.testing import CliRunner

from wardround.cli.label_choices import ONSETS, SUSPICIONS
from wardround.cli.labels import command
from wardround.errors import SourceDataError
from wardround.sources.mimic.ids import stay_id
from wardround.spec.conditions import OnsetDefinition, Suspicion

# One stay with sepsis, and one without a heart rate.
TABLES = {
    "icu/icustays": """subject_id,hadm_id,stay_id,first_careunit,last_careunit,intime,outtime
        1,1,1,MICU,MICU,2150-01-10 08:00:00,2150-01-12 08:00:00
        2,2,2,MICU,MICU,2150-01-10 08:00:00,2150-01-12 08:00:00""",
    "icu/chartevents": """subject_id,stay_id,charttime,itemid,value,valuenum
        1,1,2150-01-10 08:30:00,220045,80,80
        1,1,2150-01-10 10:30:00,220045,80,80""",
    "icu/inputevents": "stay_id,starttime,endtime,itemid,rate,rateuom,patientweight",
    "icu/outputevents": "stay_id,charttime,itemid,value",
    "hosp/admissions": """hadm_id,admittime,dischtime,deathtime,hospital_expire_flag,race
        1,2150-01-10 08:00:00,2150-01-14 08:00:00,2150-01-14 08:00:00,1,OTHER
        2,2150-01-10 08:00:00,2150-01-14 08:00:00,,0,OTHER""",
    "hosp/labevents": """subject_id,hadm_id,specimen_id,charttime,itemid,value,valuenum
        1,1,1,2150-01-10 08:40:00,51265,90,90""",
    "hosp/prescriptions": """hadm_id,starttime,drug,route,drug_type
        1,2150-01-10 12:00:00,Vancomycin,IV,MAIN""",
    "hosp/microbiologyevents": """subject_id,micro_specimen_id,chartdate,charttime,spec_type_desc,test_name
        1,1,2150-01-10 00:00:00,2150-01-10 08:15:00,MRSA SCREEN,MRSA SCREEN
        1,2,2150-01-10 00:00:00,2150-01-10 09:20:00,BLOOD CULTURE,Blood Culture""",
    "hosp/patients": "subject_id,gender,anchor_age,anchor_year_group",
    "hosp/transfers": "subject_id,intime",
    "hosp/diagnoses_icd": "hadm_id,icd_code,icd_version",
}


@pytest.fixture
def mimic(tmp_path: Path) -> Path:
    """A MIMIC folder with the rows of TABLES."""
    for name, text in TABLES.items():
        path = tmp_path / "mimic" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(line.strip() for line in text.splitlines()) + "\n")
    return tmp_path / "mimic"


def run(mimic: Path, *arguments: object, condition: str = "sepsis"):
    return CliRunner().invoke(command, [condition, "--mimic", str(mimic), *(str(argument) for argument in arguments)])


def test_sepsis3_is_written_with_both_times_and_the_hourly_sofa(mimic, tmp_path):
    out, detail = tmp_path / "labels.parquet", tmp_path / "sofa.parquet"
    result = run(mimic, "--label", "sepsis3", "--out", out, "--detail", detail, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"stays": 2, "sepsis3": 1, "unknown": 1, "hours": 3, "out": str(out)}
    labels = pd.read_parquet(out)
    columns = [
        "stay_id",
        "mimic_stay_id",
        "sepsis3",
        "suspected_infection_time",
        "sofa_time",
        "sofa_rise_time",
        "onset",
    ]
    assert list(labels) == columns
    septic = labels.set_index("stay_id").loc[stay_id(1)]
    assert septic["sepsis3"]
    # 08:15 and 09:00 in Boston
    assert septic["suspected_infection_time"] == pd.Timestamp("2150-01-10T13:15Z")
    assert septic["sofa_time"] == septic["onset"] == pd.Timestamp("2150-01-10T14:00Z")
    assert labels.set_index("stay_id").loc[stay_id(2)].drop("mimic_stay_id").isna().all()
    hourly = pd.read_parquet(detail)
    assert hourly[["mimic_stay_id", "hour", "sofa_24hours", "coagulation_24hours"]].to_numpy().tolist() == [
        [1, 0, 2, 2], [1, 1, 2, 2], [1, 2, 2, 2],
    ]  # fmt: skip
    assert hourly["endtime"].iloc[0] == pd.Timestamp("2150-01-10T14:00Z")


def test_onset_and_suspicion_are_chosen_and_a_stay_without_a_rise_has_no_onset(mimic, tmp_path):
    chosen = ("--label", "sepsis3", "--out", tmp_path / "labels.parquet", "--json")
    result = run(mimic, *chosen, "--suspicion", "without_screening_cultures", "--onset", "suspected_infection_time")
    assert result.exit_code == 0, result.output
    labels = pd.read_parquet(tmp_path / "labels.parquet").set_index("stay_id")
    # The first culture is a screen; the second was taken at 09:20.
    assert labels.loc[stay_id(1), "onset"] == pd.Timestamp("2150-01-10T14:20Z")
    assert run(mimic, *chosen, "--onset", "sofa_rise").exit_code == 0
    septic = pd.read_parquet(tmp_path / "labels.parquet").set_index("stay_id").loc[stay_id(1)]
    assert septic["sepsis3"]
    assert septic["suspected_infection_time"] == pd.Timestamp("2150-01-10T13:15Z")
    assert pd.isna(septic["sofa_rise_time"])
    assert pd.isna(septic["onset"])


def test_onset_and_suspicion_are_only_for_sepsis3(mimic, tmp_path):
    for option, value in (("--onset", "sofa_rise"), ("--suspicion", "without_screening_cultures")):
        result = run(mimic, "--label", "icd", "--out", tmp_path / "labels.parquet", option, value)
        assert result.exit_code == 2
        assert f"{option}: the label icd offers no such choice, expected the label sepsis3" in result.output


def test_the_options_offer_what_a_condition_file_may_say():
    assert get_args(OnsetDefinition) == ONSETS
    assert get_args(Suspicion) == SUSPICIONS


def test_any_other_label_is_written_under_the_name_of_its_rule(mimic, tmp_path):
    result = run(mimic, "--out", tmp_path / "labels.parquet", condition="mortality")
    assert result.exit_code == 0, result.output
    labels = pd.read_parquet(tmp_path / "labels.parquet").set_index("stay_id")
    assert labels.loc[stay_id(1), "hospital_death"]
    assert labels.loc[stay_id(1), "onset"] == pd.Timestamp("2150-01-14T13:00Z")
    assert not labels.loc[stay_id(2), "hospital_death"]


def test_a_label_that_the_condition_does_not_have_is_refused(mimic, tmp_path):
    result = run(mimic, "--label", "sepsis2", "--out", tmp_path / "labels.parquet")
    assert result.exit_code == 2
    assert "sepsis2" in result.output
    assert "sepsis3" in result.output


def test_hourly_sofa_is_only_for_sepsis3(mimic, tmp_path):
    result = run(mimic, "--label", "icd", "--out", tmp_path / "labels.parquet", "--detail", tmp_path / "sofa.parquet")
    assert result.exit_code == 2
    assert "--detail" in result.output


def test_a_missing_table_is_named_and_nothing_is_written(mimic, tmp_path):
    (mimic / "hosp" / "microbiologyevents.csv").unlink()
    result = run(mimic, "--label", "sepsis3", "--out", tmp_path / "labels.parquet")
    assert isinstance(result.exception, SourceDataError)
    assert "microbiologyevents.csv" in str(result.exception)
    assert list(tmp_path.glob("**/*.parquet*")) == []


def test_a_missing_column_is_named(mimic, tmp_path):
    (mimic / "icu" / "inputevents.csv").write_text("stay_id,starttime,endtime,itemid,rate,patientweight\n")
    result = run(mimic, "--label", "sepsis3", "--out", tmp_path / "labels.parquet")
    assert isinstance(result.exception, SourceDataError)
    assert "inputevents.csv: column rateuom is missing" in str(result.exception)


def test_a_broken_table_is_named_without_its_values_and_the_old_file_stays(mimic, tmp_path):
    out = tmp_path / "labels.parquet"
    out.write_text("the old file")
    (mimic / "icu" / "outputevents.csv").write_text(
        "stay_id,charttime,itemid,value\nSECRET,2150-01-10 09:00:00,226559,1\n"
    )
    result = run(mimic, "--label", "sepsis3", "--out", out)
    assert isinstance(result.exception, SourceDataError)
    assert "outputevents.csv" in str(result.exception)
    assert "SECRET" not in str(result.exception)
    assert out.read_text() == "the old file"
    assert list(tmp_path.glob(".*")) == []
