"""Reads readings from chartevents and labevents, with one filtered scan of each file and constant memory."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pandas as pd

from wardround.core.events import NO_TIME, NO_VALUE, READING_COLUMNS, empty_readings, frame_of
from wardround.sources.mimic import ids
from wardround.sources.mimic.bounds import is_bound
from wardround.sources.mimic.eastern import utc_micros, utc_times
from wardround.sources.mimic.files import MimicFiles, connect, reading
from wardround.spec.variables import Variable

_COLUMNS: Final = {
    "chartevents": ("subject_id", "stay_id", "charttime", "storetime", "itemid", "value", "valuenum", "valueuom"),
    "labevents": ("labevent_id", "subject_id", "charttime", "storetime", "itemid", "value", "valuenum", "valueuom"),
}
# A row of chartevents has no key. Its FHIR id is made from these four parts, so that rows with the same parts are one
# event: the one that was known first.
_SOURCE_REF: Final = {
    "chartevents": "'chartevents/' || concat_ws('-', e.stay_id, e.charttime, e.itemid, e.value)",
    "labevents": "'labevents/' || e.labevent_id",
}
# Windows are compared twice: first cheaply in local time, with more slack than daylight saving needs, then exactly. A
# row without a time cannot be placed; it is included, and then set aside.
_SCAN: Final = """
COPY (
    SELECT
        w.bucket, e.subject_id, e.itemid, {source_ref} AS source_ref,
        {time} AS time, coalesce({available}, {time}) AS available,
        try_cast(e.valuenum AS DOUBLE) AS value, coalesce(trim(e.valueuom), '') AS unit,
        {comparator} AS comparator
    FROM (SELECT *, try_cast(charttime AS TIMESTAMP) AS local FROM {table} WHERE itemid IN ({itemids})) e
    JOIN windows w ON e.subject_id = w.subject_id
    WHERE e.local IS NULL OR (e.local BETWEEN w.from_local AND w.to_local AND {time} BETWEEN w.start AND w.stop)
) TO '{folder}' (FORMAT parquet, PARTITION_BY (bucket))
"""


def read_readings(
    files: MimicFiles,
    spans: pd.DataFrame,
    variables: Mapping[str, Variable],
    *,
    patients_at_once: int,
    scratch: Path,
) -> Iterator[tuple[pd.Series, pd.DataFrame]]:
    """Yields readings (see `MimicFolder.readings_in`); `scratch` is an empty folder for temporary files."""
    with connect(scratch / "spill", files.memory) as database:
        patients = _patients(database, files, spans["patient_id"], patients_at_once)
        database.register("windows", _windows(spans, patients))
        for table in sorted({variable.mimic.table for variable in variables.values()}):
            _scan(database, files, table, variables, scratch / table)
        names = {itemid: name for name, variable in variables.items() for itemid in variable.mimic.itemids}
        for bucket, mine in patients.groupby("bucket"):
            rows = _rows(database, scratch, bucket)
            yield mine["patient_id"], _readings(rows, mine, names)


def _patients(
    database: duckdb.DuckDBPyConnection, files: MimicFiles, patients: pd.Series, patients_at_once: int
) -> pd.DataFrame:
    """Returns patient_id, subject_id and bucket of the patients; a patient who is not in MIMIC has no events."""
    with reading(files.path("icustays")):
        known = database.execute(f"SELECT DISTINCT subject_id FROM {files.scan('icustays', ('subject_id',))}").df()
    subject_ids = {ids.patient_id(number): number for number in known["subject_id"]}
    patient_ids = pd.Series(patients.unique())
    return pd.DataFrame(
        {
            "patient_id": patient_ids,
            "subject_id": patient_ids.map(subject_ids).astype("Int64"),
            "bucket": np.arange(len(patient_ids)) // patients_at_once,
        }
    )


def _windows(spans: pd.DataFrame, patients: pd.DataFrame) -> pd.DataFrame:
    """Returns the spans in UTC microseconds (start, stop), and in local time with slack (from_local, to_local)."""
    spans = spans.merge(patients.dropna(), on="patient_id")
    start, stop = (spans[name].dt.tz_localize(None).astype("datetime64[us]") for name in ("start", "stop"))
    return spans[["subject_id", "bucket"]].assign(
        start=start.astype("int64"),
        stop=stop.astype("int64"),
        from_local=start - timedelta(hours=6),
        to_local=stop - timedelta(hours=3),
    )


def _scan(
    database: duckdb.DuckDBPyConnection, files: MimicFiles, table: str, variables: Mapping[str, Variable], folder: Path
) -> None:
    """Writes the table's rows of these variables inside the windows to parquet, with a folder per bucket."""
    itemids = [i for variable in variables.values() if variable.mimic.table == table for i in variable.mimic.itemids]
    sql = _SCAN.format(
        table=files.scan(table, _COLUMNS[table]),
        source_ref=_SOURCE_REF[table],
        comparator=is_bound("e.value"),
        time=utc_micros("e.local"),
        available=utc_micros("e.storetime"),
        itemids=", ".join(map(str, itemids)),
        folder=folder,
    )
    with reading(files.path(table)):
        database.execute(sql)


def _rows(database: duckdb.DuckDBPyConnection, scratch: Path, bucket: object) -> pd.DataFrame | None:
    parts = [str(path) for path in scratch.glob(f"*/bucket={bucket}/*.parquet")]
    if not parts:
        return None
    rows = database.execute(f"SELECT * FROM read_parquet({parts}, hive_partitioning = false)").df()
    rows = rows.sort_values(["available", "value"])
    return rows[~rows["source_ref"].duplicated()]


def _readings(rows: pd.DataFrame | None, patients: pd.DataFrame, names: Mapping[int, str]) -> pd.DataFrame:
    if rows is None:
        return empty_readings()
    time = utc_times(rows["time"])
    missing = rows["value"].isna() & ~rows["comparator"]
    frame = rows.assign(
        patient_id=rows["subject_id"].map(patients.set_index("subject_id")["patient_id"]),
        variable=rows["itemid"].map(names),
        time=time,
        available=utc_times(rows["available"]),
        other_unit="",
        status="final",
        problem=np.select([time.isna(), missing], [NO_TIME, NO_VALUE], default=""),
    )
    return frame_of(READING_COLUMNS, frame)
