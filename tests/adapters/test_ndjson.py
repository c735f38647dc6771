"""A folder of NDJSON as a source."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from wardround.adapters.ndjson import NdjsonFolder
from wardround.errors import SourceDataError
from wardround.spec.loading import load_variables

PATIENT = {"resourceType": "Patient", "id": "a", "gender": "male", "birthDate": "1950-01-01"}
ICU = {"resourceType": "Location", "id": "icu", "name": "Medical ICU"}
STAY = {
    "resourceType": "Encounter",
    "id": "e1",
    "status": "in-progress",
    "class": {"code": "ACUTE"},
    "subject": {"reference": "Patient/a"},
    "period": {"start": "2026-01-02T00:00:00Z"},
    "location": [{"location": {"reference": "Location/icu"}}],
}
VISIT = {**STAY, "id": "e2", "class": {"code": "IMP"}}
PULSE = {
    "id": "o1",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
    "subject": {"reference": "Patient/a"},
    "effectiveDateTime": "2026-01-02T05:00:00Z",
    "valueQuantity": {"value": 80, "code": "/min"},
    "resourceType": "Observation",
}
INDEX = pd.DataFrame(
    {"stay_id": ["e1"], "patient_id": ["a"], "as_of": pd.to_datetime(["2026-01-02T12:00Z"]).as_unit("us")}
)


def write(folder: Path, name: str, *resources: dict) -> Path:
    text = "".join(f"{json.dumps(resource)}\n" for resource in resources).encode()
    (folder / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    return folder


def read(folder: NdjsonFolder, schemas: Path, index: pd.DataFrame = INDEX) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    return list(folder.readings(index, load_variables(schemas), timedelta(hours=24)))


def test_files_may_have_any_name_any_mix_of_types_and_be_gzipped(tmp_path: Path, schemas: Path) -> None:
    write(tmp_path, "export-1.ndjson", PULSE, STAY)
    write(tmp_path, "export-2.ndjson.gz", {**PULSE, "id": "o2"}, PATIENT, ICU)
    stay = NdjsonFolder(tmp_path).find_stays().stays.iloc[0]
    assert (stay["stay_id"], stay["sex"], stay["unit"]) == ("e1", "male", "Medical ICU")
    ((_, readings),) = read(NdjsonFolder(tmp_path), schemas)
    assert readings["source_ref"].tolist() == ["Observation/o1", "Observation/o2"]


def test_stays_are_found_by_class_by_location_and_by_time(tmp_path: Path) -> None:
    write(tmp_path, "all.ndjson", STAY, VISIT, PATIENT, ICU)
    assert NdjsonFolder(tmp_path).find_stays().stays["stay_id"].tolist() == ["e1"]
    by_location = NdjsonFolder(tmp_path, icu_classes=(), icu_locations=("medical icu",))
    assert by_location.find_stays().stays["stay_id"].tolist() == ["e1", "e2"]
    before = datetime(2026, 1, 1, tzinfo=UTC)
    assert NdjsonFolder(tmp_path).find_stays(as_of=before).stays.empty


def test_an_unknown_location_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "all.ndjson", STAY)
    with pytest.raises(SourceDataError, match="no Location 'Moon'"):
        NdjsonFolder(tmp_path, icu_locations=("Moon",)).find_stays()


def test_only_readings_inside_the_windows_of_the_index_come_out(tmp_path: Path, schemas: Path) -> None:
    late = {**PULSE, "id": "o2", "effectiveDateTime": "2026-01-02T12:00:01Z"}
    other = {**PULSE, "id": "o3", "subject": {"reference": "Patient/b"}}
    write(tmp_path, "all.ndjson", PULSE, late, other)
    ((_, readings),) = read(NdjsonFolder(tmp_path), schemas)
    assert readings["source_ref"].tolist() == ["Observation/o1"]


def test_every_index_row_comes_once_some_patients_at_a_time(tmp_path: Path, schemas: Path) -> None:
    write(tmp_path, "all.ndjson", PULSE)
    index = pd.concat([INDEX, INDEX.assign(stay_id="e3", patient_id="c"), INDEX.assign(stay_id="e4")])
    parts = read(NdjsonFolder(tmp_path, patients_at_once=1), schemas, index)
    assert [(part["stay_id"].tolist(), len(readings)) for part, readings in parts] == [(["e1", "e4"], 1), (["e3"], 0)]


def test_a_code_in_a_text_is_not_taken_for_a_coding(tmp_path: Path, schemas: Path) -> None:
    write(tmp_path, "all.ndjson", {**PULSE, "code": {"text": "8867-4"}})
    ((_, readings),) = read(NdjsonFolder(tmp_path), schemas)
    assert readings.empty


def test_a_folder_without_ndjson_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceDataError, match="no \\*\\.ndjson"):
        NdjsonFolder(tmp_path / "absent").find_stays()


@pytest.mark.parametrize("line", ['{"resourceType": "Encounter", "name": "PRIVATE', '["Encounter"]'])
def test_a_line_that_is_no_resource_is_named_and_not_shown(tmp_path: Path, line: str) -> None:
    (tmp_path / "all.ndjson").write_text(f"{json.dumps(PATIENT)}\n{line}\n")
    with pytest.raises(SourceDataError, match=r"all\.ndjson, line 2") as caught:
        NdjsonFolder(tmp_path).find_stays()
    assert "PRIVATE" not in str(caught.value)


def test_a_broken_gzip_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "all.ndjson.gz", *[STAY] * 1000)
    whole = (tmp_path / "all.ndjson.gz").read_bytes()
    (tmp_path / "all.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceDataError, match="cannot be read"):
        NdjsonFolder(tmp_path).find_stays()
