"""Tests that a DuckDB file gives exactly the same as the CSVs; if it cannot, the error names a remedy."""

from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb
import pandas as pd
import pytest

from wardround.errors import SourceDataError
from wardround.sources.mimic.files import MODULES, MimicFiles, reading
from wardround.sources.mimic.folder import MimicFolder
from wardround.spec.loading import load_condition
from wardround.workflows.features import FeatureTable, build_table

# Typed, as people load them; without BOOLEAN, which DuckDB would infer for a gender that is always F.
TYPES = "sample_size=-1, auto_type_candidates=['BIGINT', 'DOUBLE', 'DATE', 'TIMESTAMP', 'VARCHAR']"
TABLES = ("icustays", "chartevents", "patients", "admissions", "transfers", "labevents", "diagnoses_icd")
TEXTS = "all_varchar=true"


def loaded(folder: Path, file: Path, schemas: dict[str, str], options: str = TYPES) -> Path:
    """Returns a DuckDB file made from a folder's CSVs; `schemas` names one schema each for hosp and icu."""
    csv = {table: MimicFiles(folder).path(table) for table in TABLES}
    with duckdb.connect(file) as database:
        for table in TABLES:
            module = MODULES[table]
            database.execute(f"CREATE SCHEMA IF NOT EXISTS {schemas[module]}")
            database.execute(f"CREATE TABLE {schemas[module]}.{table} AS FROM read_csv('{csv[table]}', {options})")
    return file


def table_of(source: MimicFiles, table: str, columns: list[str]) -> pd.DataFrame:
    with reading(source.path(table)):
        return duckdb.sql(f"SELECT {', '.join(columns)} FROM {source.scan(table, columns)} ORDER BY ALL").df()


@pytest.mark.parametrize(
    ("places", "options"),
    [
        ({"hosp": "mimiciv_hosp", "icu": "mimiciv_icu"}, TYPES),
        ({"hosp": "MIMICIV_Hosp", "icu": "ICU"}, TYPES),
        ({"hosp": "main", "icu": "main"}, TYPES),
        ({"hosp": "hosp", "icu": "icu"}, TEXTS),
    ],
)
def test_stays_outcomes_and_features_equal_those_of_csvs(small_mimic, of_csvs, tmp_path, schemas, places, options):
    file = loaded(small_mimic, tmp_path / "it's [one].duckdb", places, options)
    check_equal(read_from(file, schemas), of_csvs)


@pytest.mark.mimic
def test_the_demo_gives_the_same_result_from_both(mimic_demo, tmp_path, schemas) -> None:
    file = loaded(mimic_demo, tmp_path / "mimic.db", {"hosp": "mimiciv_hosp", "icu": "mimiciv_icu"})
    check_equal(read_from(file, schemas), read_from(mimic_demo, schemas))


class Read(NamedTuple):
    """Returns what training reads from MIMIC."""

    stays: pd.DataFrame
    diagnoses: pd.DataFrame
    table: FeatureTable


def read_from(place: Path, schemas: Path) -> Read:
    folder = MimicFolder(place)
    table = build_table(folder, load_condition("mortality", schemas), timedelta(hours=24))
    return Read(folder.stays(), folder.diagnoses(), table)


@pytest.fixture(scope="module")
def of_csvs(small_mimic, schemas) -> Read:
    return read_from(small_mimic, schemas)


def check_equal(found: Read, expected: Read) -> None:
    pd.testing.assert_frame_equal(found.stays, expected.stays)
    pd.testing.assert_frame_equal(found.diagnoses, expected.diagnoses)
    pd.testing.assert_frame_equal(found.table.features, expected.table.features, check_exact=True)
    assert found.table.set_aside == expected.table.set_aside
    assert expected.table.features["heart_rate__mean_24h"].notna().any()


def test_times_numbers_and_codes_are_texts_as_in_a_csv(tmp_path) -> None:
    file = tmp_path / "mimic.duckdb"
    with duckdb.connect(file) as database:
        database.execute("CREATE SCHEMA hosp; CREATE SCHEMA icu")
        database.execute(
            'CREATE TABLE icu.ChartEvents AS SELECT 1.0::DOUBLE AS "Stay_ID", 220045::INTEGER AS itemid,'
            " TIMESTAMP '2150-01-01 08:00:00' AS charttime, 80::DOUBLE AS valuenum, '' AS valueuom, 7.5::FLOAT AS value"
        )
        database.execute("CREATE TABLE hosp.patients AS SELECT 1 AS subject_id, TIMESTAMP '2150-01-01' AS dod")
    columns = ["stay_id", "itemid", "charttime", "valuenum", "valueuom", "value"]
    row = duckdb.sql(f"SELECT {', '.join(columns)} FROM {MimicFiles(file).scan('chartevents', columns)}").fetchall()
    assert row == [(1, 220045, "2150-01-01 08:00:00", "80", None, "7.5")]
    assert table_of(MimicFiles(file), "patients", ["dod"])["dod"].tolist() == ["2150-01-01"]


def test_the_file_is_only_read(small_mimic, tmp_path) -> None:
    file = loaded(small_mimic, tmp_path / "mimic.duckdb", {"hosp": "hosp", "icu": "icu"})
    file.chmod(0o444)
    before = file.read_bytes()
    with duckdb.connect(file, read_only=True):  # somebody else reads too
        assert len(MimicFolder(file).stays()) == 60
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["mimic.duckdb"]


@pytest.mark.parametrize(
    ("made_with", "table", "columns", "message"),
    [
        ("CREATE TABLE main.icustays(stay_id INT)", "chartevents", ["itemid"], "no table chartevents, expected it in"),
        ("CREATE VIEW main.icustays AS SELECT 1 AS stay_id", "icustays", ["stay_id"], "a view does not count"),
        ("CREATE TABLE main.icustays(stay_id INT)", "icustays", ["stay_id", "intime"], "column intime is missing"),
        (
            "CREATE TABLE main.diagnoses_icd(icd_code INT)",
            "diagnoses_icd",
            ["icd_code"],
            "INTEGER, expected VARCHAR",
        ),
        ("CREATE TABLE main.patients(gender BOOLEAN)", "patients", ["gender"], "gender is BOOLEAN, expected VARCHAR"),
        (
            "CREATE TABLE main.icustays(intime TIMESTAMP WITH TIME ZONE)",
            "icustays",
            ["intime"],
            "times have no time zone",
        ),
    ],
)
def test_what_is_missing_in_a_database_is_named(tmp_path, made_with, table, columns, message) -> None:
    file = tmp_path / "mimic.duckdb"
    with duckdb.connect(file) as database:
        database.execute(made_with)
    with pytest.raises(SourceDataError, match=message):
        MimicFiles(file).scan(table, columns)


def test_a_word_in_place_of_an_id_is_not_quoted(tmp_path) -> None:
    file = tmp_path / "mimic.duckdb"
    with duckdb.connect(file) as database:
        database.execute("CREATE TABLE icustays AS SELECT 'PRIVATE' AS stay_id")
    with pytest.raises(SourceDataError, match="cannot be read") as caught:
        table_of(MimicFiles(file), "icustays", ["stay_id"])
    assert "PRIVATE" not in str(caught.value)


def test_a_file_that_is_not_a_database_is_an_error(tmp_path) -> None:
    file = tmp_path / "mimic.duckdb"
    file.write_text("stay_id,intime\n")
    with pytest.raises(SourceDataError, match="cannot be read as a DuckDB database"):
        MimicFolder(file).stays()


def test_a_missing_database_is_an_error(tmp_path) -> None:
    with pytest.raises(SourceDataError, match="or a DuckDB file"):
        MimicFolder(tmp_path / "mimic.duckdb").stays()
