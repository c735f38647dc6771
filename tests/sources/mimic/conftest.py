"""Provides a MIMIC folder of a few rows, written by each test that needs it."""

import csv
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

COLUMNS = {
    "icu/icustays": "subject_id,hadm_id,stay_id,first_careunit,last_careunit,intime,outtime,los",
    "icu/chartevents": "subject_id,hadm_id,stay_id,caregiver_id,charttime,storetime,itemid,value,valuenum,valueuom",
    "hosp/labevents": "labevent_id,subject_id,hadm_id,itemid,charttime,storetime,value,valuenum,valueuom,comments",
    "hosp/patients": "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod",
    "hosp/transfers": "subject_id,hadm_id,transfer_id,eventtype,careunit,intime,outtime",
    "hosp/admissions": "subject_id,hadm_id,admittime,dischtime,deathtime,race,hospital_expire_flag",
    "hosp/diagnoses_icd": "subject_id,hadm_id,seq_num,icd_code,icd_version",
}  # fmt: skip
STAY = {
    "subject_id": 1, "hadm_id": 2, "stay_id": 3, "first_careunit": "MICU", "last_careunit": "SICU",
    "intime": "2180-01-10 10:00:00", "outtime": "2180-01-14 10:00:00",
}  # fmt: skip
CHART = {
    "subject_id": 1, "hadm_id": 2, "stay_id": 3, "charttime": "2180-01-10 12:00:00", "storetime": "2180-01-10 12:30:00",
    "itemid": 220045, "value": "80", "valuenum": "80", "valueuom": "bpm",
}  # fmt: skip
LAB = {
    "labevent_id": 7, "subject_id": 1, "charttime": "2180-01-10 12:00:00", "storetime": "2180-01-10 14:00:00",
    "itemid": 50813, "value": "2.1", "valuenum": "2.1", "valueuom": "mmol/L",
}  # fmt: skip
WHOLE = {
    "icu/icustays": [STAY],
    "icu/chartevents": [CHART],
    "hosp/labevents": [LAB],
    "hosp/patients": [{"subject_id": 1, "gender": "F", "anchor_age": 61, "anchor_year_group": "2011 - 2013"}],
    "hosp/transfers": [
        {"subject_id": 1, "intime": "2180-02-29 09:00:00"},
        {"subject_id": 1, "intime": "2180-02-29 08:00:00"},
    ],
    "hosp/admissions": [{"subject_id": 1, "hadm_id": 2, "admittime": "2180-01-09 10:00:00",
        "dischtime": "2180-01-20 10:00:00", "race": "WHITE", "hospital_expire_flag": 0}],
    "hosp/diagnoses_icd": [
        {"subject_id": 1, "hadm_id": 2, "seq_num": 1, "icd_code": "A419 ", "icd_version": 10},
        {"subject_id": 9, "hadm_id": 9, "seq_num": 1, "icd_code": "99591", "icd_version": 9},
    ],
}  # fmt: skip

Rows = Iterable[Mapping[str, object]]


@pytest.fixture
def mimic(tmp_path: Path) -> Callable[..., Path]:
    """Writes a whole small MIMIC folder; keyword arguments such as chartevents=[{...}] replace or amend its rows.

    Rows of chartevents, labevents and icustays need only say what differs from the usual one.
    """

    def write(**tables: Rows) -> Path:
        usual = {"chartevents": CHART, "labevents": LAB, "icustays": STAY}
        for name, columns in COLUMNS.items():
            table = name.partition("/")[2]
            rows = [{**usual.get(table, {}), **row} for row in tables.get(table, [])] or WHOLE[name]
            rows = [] if table in tables and not list(tables[table]) else rows
            path = tmp_path / f"{name}.csv"
            path.parent.mkdir(exist_ok=True)
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, columns.split(","), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
        return tmp_path

    return write
