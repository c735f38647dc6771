"""Tests how MIMIC's CSVs are found and read."""

import gzip
from pathlib import Path

import duckdb
import pytest

from wardround.errors import SourceDataError
from wardround.sources.mimic.files import MimicFiles, reading

ROWS = "stay_id,charttime,note\n1,2180-07-23 12:36:00,\n2,later,x\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "icu").mkdir()
    return tmp_path


def count(folder: Path, columns: list[str]) -> int:
    files = MimicFiles(folder)
    with reading(files.path("icustays")):
        rows = duckdb.sql(f"SELECT {', '.join(columns)} FROM {files.scan('icustays', columns)}").fetchall()
    return len(rows)


@pytest.mark.parametrize("name", ["icustays.csv", "icustays.csv.gz"])
def test_a_table_may_be_gzipped_or_plain(folder: Path, name: str) -> None:
    content = gzip.compress(ROWS.encode()) if name.endswith("gz") else ROWS.encode()
    (folder / "icu" / name).write_bytes(content)
    assert count(folder, ["stay_id"]) == 2


def test_a_folder_may_have_brackets_and_quotes_in_its_name(folder: Path) -> None:
    odd = folder / "it's [one]*"
    (odd / "icu").mkdir(parents=True)
    (odd / "icu" / "icustays.csv").write_text(ROWS)
    assert count(odd, ["stay_id"]) == 2


def test_a_missing_table_is_named(folder: Path) -> None:
    with pytest.raises(SourceDataError, match=r"icustays\.csv: not found"):
        count(folder, ["stay_id"])


def test_a_missing_column_is_named(folder: Path) -> None:
    (folder / "icu" / "icustays.csv").write_text(ROWS)
    with pytest.raises(SourceDataError, match=r"icustays\.csv: column outtime is missing"):
        count(folder, ["stay_id", "outtime"])


def test_an_empty_file_is_an_error(folder: Path) -> None:
    (folder / "icu" / "icustays.csv").write_text("")
    with pytest.raises(SourceDataError, match="is empty"):
        count(folder, ["stay_id"])


def test_a_file_that_is_not_gzip_is_an_error(folder: Path) -> None:
    (folder / "icu" / "icustays.csv.gz").write_text(ROWS)
    with pytest.raises(SourceDataError, match="cannot be read"):
        count(folder, ["stay_id"])


def test_a_truncated_gzip_is_an_error(folder: Path) -> None:
    whole = gzip.compress((ROWS + "3,2180-07-23 12:36:00,y\n" * 50_000).encode(), mtime=0)
    (folder / "icu" / "icustays.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceDataError, match="cannot be read"):
        count(folder, ["stay_id"])


def test_the_error_for_a_word_in_place_of_an_id_names_only_the_column(folder: Path) -> None:
    (folder / "icu" / "icustays.csv").write_text(ROWS + "PRIVATE,2180-07-23 12:36:00,\n")
    with pytest.raises(SourceDataError, match="column stay_id") as caught:
        count(folder, ["stay_id"])
    assert "PRIVATE" not in str(caught.value)


@pytest.mark.parametrize("text", ["1.00E+07", "10000032.5", "1e5", "10 000 032", "ten"])
def test_an_id_that_could_be_read_as_a_different_one_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "icu" / "icustays.csv"
    path.parent.mkdir()
    path.write_text(f"subject_id,stay_id\n10000032,1\n{text},2\n")
    with pytest.raises(SourceDataError, match=r"icustays\.csv, column subject_id, row 2: not a whole number") as caught:
        MimicFiles(tmp_path).scan("icustays", ("subject_id",))
    assert text not in str(caught.value)


@pytest.mark.parametrize("text", ["10000032", "10000032.0", "", '"10000032"'])
def test_an_id_in_digits_is_read_even_with_a_zero_after_the_point(tmp_path: Path, text: str) -> None:
    path = tmp_path / "icu" / "icustays.csv"
    path.parent.mkdir()
    path.write_text(f"subject_id,stay_id\n{text},2\n")
    with duckdb.connect() as database:
        rows = database.execute(f"SELECT subject_id FROM {MimicFiles(tmp_path).scan('icustays', ('subject_id',))}")
        assert rows.fetchall() == [(10000032,) if text else (None,)]
