"""Reads stays and hospital outcomes from icustays, patients, transfers, admissions and diagnoses_icd."""

from typing import Final

import pandas as pd

from wardround.adapters.files.scratch import scratch_folder
from wardround.core.events import UTC, frame_of
from wardround.core.stays import STAY_COLUMNS
from wardround.sources.mimic import ids
from wardround.sources.mimic.eastern import utc_micros, utc_times
from wardround.sources.mimic.files import MimicFiles, connect, reading

HOSPITAL_COLUMNS: Final = {
    "subject_id": "int64",
    "hadm_id": "int64",
    "mimic_stay_id": "int64",
    "admittime": UTC,
    "dischtime": UTC,
    "deathtime": UTC,
    "hospital_expire_flag": "Int64",
    "race": "str",
    "anchor_year_group": "str",
}
_TIMES: Final = {
    "intime": "s.intime",
    "outtime": "s.outtime",
    "admittime": "a.admittime",
    "dischtime": "a.dischtime",
    "deathtime": "a.deathtime",
}

# MIMIC has no birth date. This is the one of MIMIC-IV on FHIR: anchor_age years before the date of the first transfer
# (DuckDB turns 29 February into 28 February).
_STAYS: Final = """
WITH first_transfer AS (
    SELECT subject_id, min(try_cast(intime AS TIMESTAMP)) AS intime FROM {transfers} GROUP BY subject_id
)
SELECT
    s.subject_id, s.hadm_id, s.stay_id AS mimic_stay_id,
    {times},
    epoch_us(CAST(CAST(t.intime AS DATE) - to_years(CAST(p.anchor_age AS INTEGER)) AS TIMESTAMP)) AS birth_date,
    CASE p.gender WHEN 'M' THEN 'male' WHEN 'F' THEN 'female' END AS sex,
    coalesce(s.last_careunit, s.first_careunit, '') AS unit,
    CASE WHEN s.outtime IS NULL THEN 'in-progress' ELSE 'finished' END AS status,
    a.hospital_expire_flag, a.race, p.anchor_year_group
FROM {icustays} s
LEFT JOIN {patients} p USING (subject_id)
LEFT JOIN first_transfer t USING (subject_id)
LEFT JOIN {admissions} a ON a.hadm_id = s.hadm_id
"""
_COLUMNS: Final = {
    "icustays": ("subject_id", "hadm_id", "stay_id", "first_careunit", "last_careunit", "intime", "outtime"),
    "patients": ("subject_id", "gender", "anchor_age", "anchor_year_group"),
    "transfers": ("subject_id", "intime"),
    "admissions": ("hadm_id", "admittime", "dischtime", "deathtime", "hospital_expire_flag", "race"),
}
_DIAGNOSES: Final = """
SELECT hadm_id, trim(icd_code) AS icd_code, icd_version FROM {diagnoses_icd}
WHERE hadm_id IN (SELECT hadm_id FROM {icustays}) AND icd_code IS NOT NULL
ORDER BY hadm_id, icd_version, icd_code
"""


def read_stays(files: MimicFiles) -> pd.DataFrame:
    """Returns all ICU stays, sorted by stay_id: STAY_COLUMNS, then HOSPITAL_COLUMNS."""
    times = ", ".join(f"{utc_micros(column)} AS {name}" for name, column in _TIMES.items())
    rows = _query(files, _STAYS, _COLUMNS, times=times)
    patient_ids = {number: ids.patient_id(number) for number in rows["subject_id"].unique()}
    frame = rows.assign(
        stay_id=[ids.stay_id(number) for number in rows["mimic_stay_id"]],
        patient_id=rows["subject_id"].map(patient_ids),
        birth_date=utc_times(rows["birth_date"]).dt.tz_localize(None),
        **{name: utc_times(rows[name]) for name in _TIMES},
    )
    begun = frame.assign(unit_begin=frame["intime"], hospital_begin=frame["admittime"])
    return frame_of({**STAY_COLUMNS, **HOSPITAL_COLUMNS}, begun.sort_values("stay_id", ignore_index=True))


def read_diagnoses(files: MimicFiles) -> pd.DataFrame:
    """Returns hadm_id, icd_code and icd_version of all hospital stays with an ICU stay."""
    columns = {"icustays": ("hadm_id",), "diagnoses_icd": ("hadm_id", "icd_code", "icd_version")}
    return _query(files, _DIAGNOSES, columns).astype({"icd_code": "str"})


def _query(files: MimicFiles, sql: str, columns: dict[str, tuple[str, ...]], **parts: str) -> pd.DataFrame:
    tables = {table: files.scan(table, names) for table, names in columns.items()}
    with (
        scratch_folder() as scratch,
        connect(scratch, files.memory) as database,
        reading(files.folder),
    ):
        return database.execute(sql.format(**tables, **parts)).df()
