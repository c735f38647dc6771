"""Fixtures that every room of the tests may use."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wardround.airflow.environment import local_environment
from wardround.settings import PROJECT, settings_from

# Airflow reads its settings when it is first imported, which any test module may do.
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="wardround-tests-airflow-"))
os.environ.update(local_environment(settings_from(), AIRFLOW_HOME, "http://127.0.0.1:9/fhir"))
SHARED = Path(os.environ.get("WARDROUND_SHARED", PROJECT.parent / "shared"))
# Of the small MIMIC folder.
START = datetime(2150, 1, 1, 8)  # noqa: DTZ001 - MIMIC's times have no zone
HOURS = 6
# Item ids of heart rate, respiratory rate, saturation, systolic and mean pressure; lactate, creatinine: usual values.
VITALS = {220045: 90, 220210: 20, 220277: 96, 220050: 110, 220052: 75}
LABS = {50813: 2, 50912: 1}


@pytest.fixture(scope="session")
def mimic_demo() -> Path:
    """The MIMIC-IV demo's folder of CSVs; skips where it is not beside the project."""
    folder = SHARED / "data" / "mimic-iv-demo-2.2"
    if not folder.is_dir():
        pytest.skip(f"the MIMIC-IV demo is not at {folder}")
    return folder


@pytest.fixture(scope="session")
def schemas() -> Path:
    """The project's own spec files."""
    return PROJECT / "include" / "schemas"


@pytest.fixture(scope="session", autouse=True)
def _airflow_home() -> Iterator[None]:
    yield
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's own database, migrated, with the pools that the DAGs name."""
    from airflow.utils.db import initdb

    from wardround.airflow.pools import create_missing_pools

    initdb()
    create_missing_pools()


@pytest.fixture(scope="session")
def make_mimic():
    """Writes a folder with `patients` stays of 30 hours, one per patient, of which every third has both outcomes."""

    def make(folder: Path, patients: int = 60, positive_every: int = 3) -> Path:
        numbers = np.arange(patients)
        positive = numbers % positive_every == 0
        times = {
            "intime": START,
            "outtime": START + timedelta(hours=30),
            "admittime": START,
            "dischtime": START + timedelta(days=5),
        }
        base = pd.DataFrame({"subject_id": 1000 + numbers, "hadm_id": 2000 + numbers, "stay_id": 3000 + numbers})
        base = base.assign(**times, first_careunit="MICU", last_careunit="MICU", race="UNKNOWN", gender="F")
        base = base.assign(anchor_age=40 + numbers % 40, anchor_year_group="2014 - 2016", icd_version=10)
        base = base.assign(
            deathtime=[START + timedelta(days=5) if sick else None for sick in positive],
            hospital_expire_flag=positive.astype(int),
            icd_code=np.where(positive, "A419", "I10"),
        )
        # Two stays that no model may learn from: one too short, one still open.
        base.loc[patients - 1, "outtime"] = START + timedelta(hours=23)
        base.loc[patients - 2, "outtime"] = None
        _write(folder, base)
        _write_events(folder, base, positive)
        return folder

    return make


@pytest.fixture(scope="session")
def small_mimic(make_mimic, tmp_path_factory) -> Path:
    return make_mimic(tmp_path_factory.mktemp("mimic"))


def _write(folder: Path, base: pd.DataFrame) -> None:
    (folder / "hosp").mkdir(parents=True)
    (folder / "icu").mkdir()
    tables = {
        "icu/icustays": ["subject_id", "hadm_id", "stay_id", "first_careunit", "last_careunit", "intime", "outtime"],
        "hosp/patients": ["subject_id", "gender", "anchor_age", "anchor_year_group"],
        "hosp/transfers": ["subject_id", "intime"],
        "hosp/admissions": ["hadm_id", "admittime", "dischtime", "deathtime", "hospital_expire_flag", "race"],
        "hosp/diagnoses_icd": ["hadm_id", "icd_code", "icd_version"],
    }
    for name, columns in tables.items():
        base[columns].to_csv(folder / f"{name}.csv", index=False, date_format="%Y-%m-%d %H:%M:%S")


def _write_events(folder: Path, base: pd.DataFrame, positive: np.ndarray) -> None:
    generator = np.random.default_rng(4)
    rows = pd.DataFrame(
        [
            (subject, stay, itemid, centre * (1.25 if sick else 1.0), START + timedelta(hours=3 * hour))
            for subject, stay, sick in zip(base["subject_id"], base["stay_id"], positive, strict=True)
            for itemid, centre in {**VITALS, **LABS}.items()
            for hour in range(HOURS)
        ],
        columns=["subject_id", "stay_id", "itemid", "centre", "charttime"],
    )
    number = (rows["centre"] * generator.normal(1, 0.1, size=len(rows))).round(2)
    rows = rows.assign(valuenum=number, value=number, storetime=rows["charttime"], labevent_id=range(len(rows)))
    rows["valueuom"] = rows["itemid"].map(
        {220045: "bpm", 220210: "insp/min", 220277: "%", 50813: "mmol/L", 50912: "mg/dL"}
    )
    rows["valueuom"] = rows["valueuom"].fillna("mmHg")
    shared = ["subject_id", "charttime", "storetime", "itemid", "value", "valuenum", "valueuom"]
    lab = rows["itemid"].isin(LABS)
    rows.loc[~lab, ["stay_id", *shared]].to_csv(folder / "icu" / "chartevents.csv", index=False)
    rows.loc[lab, ["labevent_id", *shared]].to_csv(folder / "hosp" / "labevents.csv", index=False)
