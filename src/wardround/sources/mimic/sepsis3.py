"""Computes Sepsis-3 labels and hourly SOFA from MIMIC's tables, by running concepts/*.sql for some stays at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, get_args

import duckdb
import numpy as np
import pandas as pd

from wardround.core.events import UTC, frame_of
from wardround.core.progress import Say
from wardround.sources.mimic import ids
from wardround.sources.mimic.eastern import utc_micros, utc_times
from wardround.sources.mimic.files import MimicFiles, connect, reading
from wardround.spec.conditions import Suspicion

_CONCEPTS: Final = Path(__file__).parent / "concepts"

SEPSIS3_COLUMNS: Final = {
    "stay_id": "str",
    "mimic_stay_id": "int64",
    "suspicion": "str",
    "sepsis3": "boolean",
    "suspected_infection_time": UTC,
    "sofa_time": UTC,
    "sofa_rise_time": UTC,
}
SOFA_COLUMNS: Final = {
    "stay_id": "str",
    "mimic_stay_id": "int64",
    "hour": "int32",
    "endtime": UTC,
    "sofa_24hours": "int8",
    "respiration_24hours": "int8",
    "coagulation_24hours": "int8",
    "liver_24hours": "int8",
    "cardiovascular_24hours": "int8",
    "cns_24hours": "int8",
    "renal_24hours": "int8",
}

_SUSPICIONS: Final = pd.DataFrame({"suspicion": get_args(Suspicion)})

CONCEPTS: Final = (
    "hours",
    "oxygenation", "ventilation", "respiration",
    "coagulation",
    "liver",
    "vasopressors", "cardiovascular",
    "cns",
    "urine_output", "renal",
    "sofa",
    "suspicion",
    "sepsis3",
    "sofa_rise",
)  # fmt: skip
"""The names of the concepts' files and tables, in an order in which each comes after those that it reads."""

_MICROBIOLOGY: Final = ("subject_id", "micro_specimen_id", "chartdate", "charttime", "spec_type_desc", "test_name")
# Where the rows of each table in tables.sql come from: the table of MIMIC, and the columns that its scan reads.
_SCANS: Final = {
    "charted": ("chartevents", ("subject_id", "stay_id", "charttime", "itemid", "value", "valuenum")),
    "laboratory": ("labevents", ("subject_id", "hadm_id", "specimen_id", "itemid", "charttime", "value", "valuenum")),
    "infusions": ("inputevents", ("stay_id", "starttime", "endtime", "itemid", "rate", "rateuom", "patientweight")),
    "outputs": ("outputevents", ("stay_id", "charttime", "itemid", "value")),
    "antibiotics": ("prescriptions", ("hadm_id", "starttime", "drug_type", "drug", "route")),
    "cultures": ("microbiologyevents", _MICROBIOLOGY),
}
_STAYS: Final = """
SELECT
    s.subject_id, s.hadm_id, s.stay_id AS mimic_stay_id,
    try_cast(s.intime AS TIMESTAMP) AS intime,
    try_cast(s.outtime AS TIMESTAMP) AS outtime,
    try_cast(a.admittime AS TIMESTAMP) AS admittime
FROM {icustays} s
LEFT JOIN {admissions} a USING (hadm_id)
"""
# Rows this long before and after the stay can matter: the day before, and cultures 3 days before and 1 day after.
_AROUND: Final = """
CREATE TABLE stays AS
SELECT
    *,
    intime - INTERVAL 5 DAY AS earliest,
    coalesce(outtime + INTERVAL 3 DAY, TIMESTAMP 'infinity') AS latest
FROM numbered
"""
# A stay without any hour of SOFA, because no heart rate was charted, has no label.
_LABELS: Final = f"""
SELECT
    stay_id AS mimic_stay_id,
    suspicion,
    sofa_time IS NOT NULL AS sepsis3,
    {utc_micros("suspected_infection_time")} AS suspected_infection_time,
    {utc_micros("sofa_time")} AS sofa_time,
    {utc_micros("sofa_rise_time")} AS sofa_rise_time
FROM (SELECT DISTINCT stay_id FROM sofa)
CROSS JOIN suspicions
LEFT JOIN sepsis3 USING (suspicion, stay_id)
LEFT JOIN sofa_rise USING (suspicion, stay_id)
"""
_HOURLY: Final = f"""
SELECT * EXCLUDE (stay_id, hr, start, stop), stay_id AS mimic_stay_id, hr AS hour, {utc_micros("stop")} AS endtime
FROM sofa
"""


class Sepsis3Part(NamedTuple):
    """The labels and the hourly SOFA (SOFA_COLUMNS) of some stays, both sorted.

    The labels (SEPSIS3_COLUMNS) have a row for each stay and suspicion.
    """

    labels: pd.DataFrame
    hourly: pd.DataFrame


def read_sepsis3(files: MimicFiles, *, stays_at_once: int, scratch: Path, say: Say) -> Iterator[Sepsis3Part]:
    """Yields the parts (see `MimicFolder.sepsis3_parts`); `scratch` is an empty folder for temporary files."""
    scans = {table: _scan(files, table) for table in _SCANS}  # fails early on a missing file
    with connect(scratch / "spill", files.memory) as database:
        stays = _stays(database, files, stays_at_once)
        for table, scan in scans.items():
            say(f"reading {_SCANS[table][0]}")
            with reading(files.path(_SCANS[table][0])):
                database.execute(f"COPY ({scan}) TO '{scratch / table}' (FORMAT parquet, PARTITION_BY (bucket))")
        create_tables(database)
        for bucket in range(max(1, stays["bucket"].nunique())):
            for table in _SCANS:
                _fill(database, table, scratch / table / f"bucket={bucket}")
            _run_concepts(database)
            mine = stays[stays["bucket"] == bucket]
            say(f"labelling: stays {min((bucket + 1) * stays_at_once, len(stays)):,} of {len(stays):,}")
            yield Sepsis3Part(_labels(database, mine), _hourly(database, mine))


def create_tables(database: duckdb.DuckDBPyConnection) -> None:
    """Creates the empty tables that the concepts read (concepts/tables.sql)."""
    database.execute(_sql("tables"))


def _run_concepts(database: duckdb.DuckDBPyConnection) -> None:
    """Creates the table of each concept from the tables of tables.sql."""
    for concept in CONCEPTS:
        database.execute(f"CREATE OR REPLACE TABLE {concept} AS {_sql(concept)}")


def read_items() -> pd.DataFrame:
    """Reads concepts/items.csv: table, itemid, quantity and label of the items that the concepts use."""
    return pd.read_csv(_CONCEPTS / "items.csv")


def read_antibiotics() -> pd.DataFrame:
    """Reads concepts/antibiotics.csv: class and name (in lower case; part of a drug's name)."""
    return pd.read_csv(_CONCEPTS / "antibiotics.csv")


def read_screening() -> pd.DataFrame:
    """Reads concepts/screening.csv: the tests and specimens by which carriers are looked for, each with its source.

    `column` is the column of microbiologyevents that `name` stands in.
    """
    return pd.read_csv(_CONCEPTS / "screening.csv")


def _stays(database: duckdb.DuckDBPyConnection, files: MimicFiles, stays_at_once: int) -> pd.DataFrame:
    """Creates the table `stays`, and returns stay_id, mimic_stay_id and bucket of all ICU stays, sorted by stay_id."""
    tables = {
        "icustays": files.scan("icustays", ("subject_id", "hadm_id", "stay_id", "intime", "outtime")),
        "admissions": files.scan("admissions", ("hadm_id", "admittime")),
    }
    with reading(files.folder):
        rows = database.execute(_STAYS.format(**tables)).df()
    rows = rows.assign(stay_id=[ids.stay_id(number) for number in rows["mimic_stay_id"]])
    rows = rows.sort_values("stay_id", ignore_index=True)
    rows["bucket"] = np.arange(len(rows)) // stays_at_once
    database.register("numbered", rows.drop(columns="stay_id"))
    database.register("items", read_items())
    database.register("screening", read_screening())
    database.register("suspicions", _SUSPICIONS)
    database.execute(_AROUND)
    return rows[["stay_id", "mimic_stay_id", "bucket"]]


def _scan(files: MimicFiles, table: str) -> str:
    """Returns SQL for the rows of MIMIC's table that `table` needs, each with the bucket of its stay, in one scan."""
    source, columns = _SCANS[table]
    # A pattern that is not constant would be compiled for every row.
    names = "|".join(read_antibiotics()["name"])
    return _sql(f"scans/{table}").format(**{source: files.scan(source, columns)}, antibiotic_names=names)


def _fill(database: duckdb.DuckDBPyConnection, table: str, folder: Path) -> None:
    database.execute(f"TRUNCATE {table}")
    parts = [str(path) for path in folder.glob("*.parquet")]
    if parts:
        database.execute(f"INSERT INTO {table} BY NAME FROM read_parquet({parts}, hive_partitioning = false)")


def _labels(database: duckdb.DuckDBPyConnection, stays: pd.DataFrame) -> pd.DataFrame:
    both = stays.merge(_SUSPICIONS, how="cross")
    rows = both.merge(database.execute(_LABELS).df(), on=["mimic_stay_id", "suspicion"], how="left")
    times = {name: utc_times(rows[name]) for name, kind in SEPSIS3_COLUMNS.items() if kind == UTC}
    return frame_of(SEPSIS3_COLUMNS, rows.assign(**times))


def _hourly(database: duckdb.DuckDBPyConnection, stays: pd.DataFrame) -> pd.DataFrame:
    rows = database.execute(_HOURLY).df().merge(stays, on="mimic_stay_id")
    rows = rows.sort_values(["stay_id", "hour"], ignore_index=True)
    return frame_of(SOFA_COLUMNS, rows.assign(endtime=utc_times(rows["endtime"])))


def _sql(name: str) -> str:
    return (_CONCEPTS / f"{name}.sql").read_text(encoding="utf-8")
