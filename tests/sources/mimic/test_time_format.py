"""Tests that a time in another format than MIMIC's is always refused, and never read as a different time."""

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from wardround.errors import SourceDataError
from wardround.sources.mimic import MimicFolder
from wardround.sources.mimic.files import MimicFiles, reading
from wardround.spec.loading import load_condition
from wardround.workflows.features import build_table

TABLES = {
    "icu/icustays": ("intime", "outtime"),
    "icu/chartevents": ("charttime", "storetime"),
    "icu/inputevents": ("starttime", "endtime"),
    "icu/outputevents": ("charttime",),
    "hosp/admissions": ("admittime", "dischtime", "deathtime"),
    "hosp/transfers": ("intime", "outtime"),
    "hosp/patients": ("dod",),
    "hosp/labevents": ("charttime", "storetime"),
    "hosp/prescriptions": ("starttime",),
    "hosp/microbiologyevents": ("chartdate", "charttime"),
    "hosp/services": ("transfertime",),
}
COLUMNS = [(table, column) for table, columns in TABLES.items() for column in columns]
DAYS = ("dod", "chartdate")
FOREIGN = {
    "3/9/26 03:00": "0/0/00 00:00",
    "03/09/2026 03:00:00": "00/00/0000 00:00:00",
    "09.03.2026 03:00": "00.00.0000 00:00",
    "2026-3-9 03:00:00": "0000-0-0 00:00:00",
    "2026-03-09T03:00:00": "0000-00-00a00:00:00",
    "2026-03-09 03:00:00Z": "0000-00-00 00:00:00a",
    "2026-03-09 03:00:00+01:00": "0000-00-00 00:00:00+00:00",
    "2026-03-09 03:00": "0000-00-00 00:00",
    "2026-03-09 3:00:00 PM": "0000-00-00 0:00:00 aa",
    "2026-13-09 03:00:00": "0000-00-00 00:00:00",
    "2026-02-30 03:00:00": "0000-00-00 00:00:00",
    "0003-09-26 03:00:00": "0000-00-00 00:00:00",
    "46090.125": "00000.000",
    "1773025200": "0000000000",
    "noon": "aaaa",
}


def times(folder: Path, table: str, column: str) -> list[str | None]:
    name = table.partition("/")[2]
    files = MimicFiles(folder)
    with reading(files.path(name)), duckdb.connect() as database:
        return [row[0] for row in database.execute(f"SELECT {column} FROM {files.scan(name, [column])}").fetchall()]


def written(folder: Path, table: str, column: str, *values: str) -> Path:
    path = folder / f"{table}.csv"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join((f"subject_id,{column},note", *(f"1,{value},x" for value in values), "")))
    return path


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_every_column_of_times_refuses_another_format(tmp_path: Path, table: str, column: str) -> None:
    path = written(tmp_path, table, column, "2180-03-09 03:00:00", "", "3/9/26 03:00")
    with pytest.raises(SourceDataError) as caught:
        times(tmp_path, table, column)
    assert str(caught.value).startswith(f"{path}, column {column}, row 3 (0/0/00 00:00): not a time")
    assert "convert the column" in str(caught.value)


@pytest.mark.parametrize(("text", "shape"), FOREIGN.items())
def test_another_format_is_shown_by_its_shape_and_never_by_its_value(tmp_path: Path, text: str, shape: str) -> None:
    written(tmp_path, "icu/chartevents", "charttime", text)
    with pytest.raises(SourceDataError) as caught:
        times(tmp_path, "icu/chartevents", "charttime")
    assert f"row 1 ({shape})" in str(caught.value)
    assert text not in str(caught.value).replace(str(tmp_path), "")


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_mimics_own_format_and_an_empty_field_are_read(tmp_path: Path, table: str, column: str) -> None:
    good = ["2210-12-31 23:59:59", "2180-03-09 03:00:00.123", *(["2180-03-09"] if column in DAYS else [])]
    written(tmp_path, table, column, *good, "")
    assert times(tmp_path, table, column) == [*good, None]


def test_a_day_without_a_time_is_not_accepted_for_a_measurement(tmp_path: Path) -> None:
    written(tmp_path, "icu/chartevents", "charttime", "2180-03-09")
    with pytest.raises(SourceDataError, match="expected YYYY-MM-DD HH:MM:SS"):
        times(tmp_path, "icu/chartevents", "charttime")


def test_a_text_column_of_a_database_must_have_the_same_format(tmp_path: Path) -> None:
    file = tmp_path / "mimic.duckdb"
    with duckdb.connect(file) as database:
        database.execute("CREATE TABLE chartevents AS SELECT 1 AS subject_id, '3/9/26 03:00' AS charttime")
    with pytest.raises(SourceDataError, match=r"mimic\.duckdb, column charttime, row 1"):
        times(file, "icu/chartevents", "charttime")


def test_features_from_a_folder_with_another_time_format_are_refused(mimic, schemas: Path) -> None:
    folder = MimicFolder(mimic(chartevents=[{}, {"charttime": "1/10/80 12:00"}]))
    with pytest.raises(SourceDataError, match=r"chartevents\.csv, column charttime, row 2"):
        build_table(folder, load_condition("sepsis", schemas), timedelta(hours=24))
