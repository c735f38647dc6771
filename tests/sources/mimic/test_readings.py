"""Tests how chartevents and labevents become readings."""

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from tests.frames import admit

from wardround.core.events import READING_COLUMNS
from wardround.errors import SourceDataError
from wardround.sources.mimic import MimicFolder, ids
from wardround.spec.loading import load_variables

AS_OF = "2180-01-11T15:00Z"  # 10:00 Eastern


@pytest.fixture(scope="module")
def variables(schemas: Path):
    return load_variables(schemas)


def index(*rows: tuple[int, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "stay_id": [f"s{number}" for number in range(len(rows))],
            "patient_id": [ids.patient_id(subject) for subject, _ in rows],
            "as_of": pd.Series([pd.Timestamp(time) for _, time in rows], dtype="datetime64[us, UTC]"),
        }
    )


def read(folder: Path, variables, rows=((1, AS_OF),)) -> pd.DataFrame:
    parts = list(MimicFolder(folder).readings(index(*rows), variables, timedelta(hours=24)))
    return pd.concat([part for _, part in parts], ignore_index=True)


def only(frame: pd.DataFrame, variable: str) -> pd.Series:
    (row,) = (row for _, row in frame[frame["variable"] == variable].iterrows())
    return row


def test_rows_of_both_tables_become_readings(mimic, variables) -> None:
    frame = read(mimic(), variables)
    assert {name: str(frame[name].dtype) for name in READING_COLUMNS} == READING_COLUMNS
    pulse, lactate = only(frame, "heart_rate"), only(frame, "lactate")
    assert (pulse["patient_id"], pulse["value"], pulse["unit"]) == (ids.patient_id(1), 80.0, "bpm")
    assert pulse["source_ref"] == "chartevents/3-2180-01-10 12:00:00-220045-80"
    assert (lactate["value"], lactate["unit"], lactate["source_ref"]) == (2.1, "mmol/L", "labevents/7")


def test_times_are_eastern_and_available_is_the_store_time(mimic, variables) -> None:
    pulse = only(read(mimic(), variables), "heart_rate")
    assert pulse["time"] == pd.Timestamp("2180-01-10T17:00Z")
    assert pulse["available"] == pd.Timestamp("2180-01-10T17:30Z")


def test_without_a_storetime_a_value_is_available_when_charted(mimic, variables) -> None:
    pulse = only(read(mimic(chartevents=[{"storetime": ""}]), variables), "heart_rate")
    assert pulse["available"] == pulse["time"]


@pytest.mark.parametrize(
    ("charttime", "found"),
    [("2180-01-10 09:59:59", 0), ("2180-01-10 10:00:00", 1), ("2180-01-11 10:00:00", 1), ("2180-01-11 10:00:01", 0)],
)
def test_the_window_ends_at_as_of_and_both_ends_count(mimic, variables, charttime: str, found: int) -> None:
    assert len(read(mimic(chartevents=[{"charttime": charttime}], labevents=[]), variables)) == found


def test_an_event_belongs_to_its_patient_whatever_its_stay(mimic, variables) -> None:
    frame = read(mimic(chartevents=[{"stay_id": 99, "hadm_id": ""}, {"subject_id": 5}], labevents=[]), variables)
    assert frame["source_ref"].tolist() == ["chartevents/99-2180-01-10 12:00:00-220045-80"]


def test_items_that_no_variable_uses_are_left_out(mimic, variables) -> None:
    assert read(mimic(chartevents=[{"itemid": 220046}], labevents=[{"itemid": 50843}]), variables).empty


def test_rows_with_one_fhir_id_are_one_event(mimic, variables) -> None:
    rows = [{"caregiver_id": 1, "storetime": "2180-01-10 13:00:00"}, {"caregiver_id": 2}]
    pulse = only(read(mimic(chartevents=rows), variables), "heart_rate")
    assert pulse["available"] == pd.Timestamp("2180-01-10T17:30Z")


@pytest.mark.parametrize(
    ("lab", "reason"),
    [
        ({"value": "<0.5", "valuenum": "0.5"}, "comparator"),
        ({"value": ">=9", "valuenum": ""}, "comparator"),
        ({"value": " GREATER THAN 9", "valuenum": "9"}, "comparator"),
        ({"value": "___", "valuenum": ""}, "no_value"),
        ({"value": "", "valuenum": ""}, "no_value"),
        ({"value": "2.1", "valuenum": ""}, "no_value"),
        ({"value": "2.1", "valuenum": "two"}, "no_value"),
        ({"valueuom": ""}, "unknown_unit"),
        ({"valueuom": "mEq/L"}, "unknown_unit"),
        ({"valuenum": "500"}, "implausible_value"),
        ({"charttime": ""}, "no_time"),
    ],
)
def test_what_cannot_be_used_is_set_aside_with_its_reason(mimic, variables, lab: dict, reason: str) -> None:
    admitted = admit(read(mimic(labevents=[lab], chartevents=[]), variables), variables)
    assert admitted.events.empty
    assert admitted.set_aside["reason"].tolist() == [reason]


def test_spaces_around_a_unit_are_ignored(mimic, variables) -> None:
    assert only(read(mimic(labevents=[{"valueuom": " mmol/L "}]), variables), "lactate")["unit"] == "mmol/L"


def test_a_row_in_two_overlapping_windows_is_returned_once(mimic, variables) -> None:
    frame = read(mimic(labevents=[]), variables, rows=[(1, AS_OF), (1, "2180-01-11T16:00Z")])
    assert len(frame) == 1


def test_every_index_row_is_returned_once_even_without_events(mimic, variables) -> None:
    rows = index((1, AS_OF), (404, AS_OF), (5, AS_OF), (1, "2181-01-01T00:00Z"))
    parts = list(MimicFolder(mimic(), patients_at_once=2).readings(rows, variables, timedelta(hours=24)))
    assert [len(part) for part, _ in parts] == [3, 1]
    assert sorted(stay for part, _ in parts for stay in part["stay_id"]) == rows["stay_id"].tolist()


def test_a_table_is_read_only_if_a_variable_needs_it(mimic, variables) -> None:
    folder = mimic()
    (folder / "hosp" / "labevents.csv").unlink()
    assert len(read(folder, {"heart_rate": variables["heart_rate"]})) == 1
    with pytest.raises(SourceDataError, match="labevents"):
        read(folder, variables)


def test_a_missing_column_is_named(mimic, variables) -> None:
    folder = mimic()
    path = folder / "icu" / "chartevents.csv"
    path.write_text(path.read_text().replace("valueuom", "unit"))
    with pytest.raises(SourceDataError, match=r"chartevents\.csv: column valueuom is missing"):
        read(folder, variables)


def test_the_error_for_an_unreadable_row_contains_no_value(mimic, variables) -> None:
    folder = mimic(chartevents=[{"itemid": "PRIVATE"}])
    with pytest.raises(SourceDataError, match="chartevents") as caught:
        read(folder, variables)
    assert "PRIVATE" not in str(caught.value)
