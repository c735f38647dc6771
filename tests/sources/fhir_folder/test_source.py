"""Tests a folder of NDJSON as a source."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from wardround.errors import SourceDataError
from wardround.sources.fhir_folder.source import FhirFolderSource
from wardround.spec.cohorts import Encounters
from wardround.spec.loading import load_variables
from wardround.spec.variables import NamedCode

PATIENT = {"resourceType": "Patient", "id": "a", "gender": "male", "birthDate": "1950-01-01"}
ICU = {"resourceType": "Location", "id": "icu", "name": "Medical ICU"}
Resource = dict[str, Any]

INDEX = pd.DataFrame(
    {"stay_id": ["e1"], "patient_id": ["a"], "as_of": pd.to_datetime(["2026-01-02T12:00Z"]).as_unit("us")}
)


def write(folder: Path, name: str, *resources: dict) -> Path:
    text = "".join(f"{json.dumps(resource)}\n" for resource in resources).encode()
    (folder / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    return folder


def read(
    folder: FhirFolderSource, schemas: Path, index: pd.DataFrame = INDEX
) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    return list(folder.readings(index, load_variables(schemas), timedelta(hours=24)))


def test_files_may_have_any_name_any_mix_of_types_and_be_gzipped(
    tmp_path: Path, schemas: Path, stay: Resource, pulse: Resource
) -> None:
    write(tmp_path, "export-1.ndjson", pulse, stay)
    write(tmp_path, "export-2.ndjson.gz", {**pulse, "id": "o2"}, PATIENT, ICU)
    found = FhirFolderSource(tmp_path).find_stays().stays.iloc[0]
    assert (found["stay_id"], found["sex"], found["unit"]) == ("e1", "male", "Medical ICU")
    ((_, readings),) = read(FhirFolderSource(tmp_path), schemas)
    assert readings["source_ref"].tolist() == ["Observation/o1", "Observation/o2"]


def test_stays_are_found_by_class_by_location_and_by_time(tmp_path: Path, stay: Resource) -> None:
    write(tmp_path, "all.ndjson", stay, {**stay, "id": "e2", "class": {"code": "IMP"}}, PATIENT, ICU)
    assert FhirFolderSource(tmp_path).find_stays().stays["stay_id"].tolist() == ["e1"]
    by_location = FhirFolderSource(tmp_path, Encounters(locations=("medical icu",)))
    assert by_location.find_stays().stays["stay_id"].tolist() == ["e1", "e2"]
    before = datetime(2026, 1, 1, tzinfo=UTC)
    assert FhirFolderSource(tmp_path).find_stays(as_of=before).stays.empty


def test_an_unknown_location_is_an_error(tmp_path: Path, stay: Resource) -> None:
    write(tmp_path, "all.ndjson", stay)
    with pytest.raises(SourceDataError, match="no Location 'Moon'"):
        FhirFolderSource(tmp_path, Encounters(locations=("Moon",))).find_stays()


def test_only_readings_inside_the_windows_are_returned(tmp_path: Path, schemas: Path, pulse: Resource) -> None:
    late = {**pulse, "id": "o2", "effectiveDateTime": "2026-01-02T12:00:01Z"}
    other = {**pulse, "id": "o3", "subject": {"reference": "Patient/b"}}
    write(tmp_path, "all.ndjson", pulse, late, other)
    ((_, readings),) = read(FhirFolderSource(tmp_path), schemas)
    assert readings["source_ref"].tolist() == ["Observation/o1"]


def test_every_index_row_is_returned_once_in_batches(tmp_path: Path, schemas: Path, pulse: Resource) -> None:
    write(tmp_path, "all.ndjson", pulse)
    index = pd.concat([INDEX, INDEX.assign(stay_id="e3", patient_id="c"), INDEX.assign(stay_id="e4")])
    parts = read(FhirFolderSource(tmp_path, patients_at_once=1), schemas, index)
    assert [(part["stay_id"].tolist(), len(readings)) for part, readings in parts] == [(["e1", "e4"], 1), (["e3"], 0)]


@pytest.mark.parametrize("written", ["Körper/HR.1", r"K\u00f6rper\/HR.1"])
def test_a_local_code_is_found_however_json_escapes_it(
    tmp_path: Path, schemas: Path, pulse: Resource, written: str
) -> None:
    variables = load_variables(schemas)
    own = NamedCode(system="urn:house", code="Körper/HR.1")
    variables["heart_rate"] = variables["heart_rate"].model_copy(update={"codes": (own,)})
    line = json.dumps({**pulse, "code": {"coding": [{"system": "urn:house", "code": "X"}]}}, ensure_ascii=False)
    (tmp_path / "all.ndjson").write_text(line.replace('"X"', f'"{written}"') + "\n", encoding="utf-8")
    ((_, readings),) = FhirFolderSource(tmp_path).readings(INDEX, variables, timedelta(hours=24))
    assert readings["value"].tolist() == [80]


def test_a_code_in_a_text_is_not_mistaken_for_a_coding(tmp_path: Path, schemas: Path, pulse: Resource) -> None:
    write(tmp_path, "all.ndjson", {**pulse, "code": {"text": "8867-4"}})
    ((_, readings),) = read(FhirFolderSource(tmp_path), schemas)
    assert readings.empty


def test_a_folder_without_ndjson_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceDataError, match="there is no such folder"):
        FhirFolderSource(tmp_path / "absent").find_stays()
    with pytest.raises(SourceDataError, match="no \\*\\.ndjson"):
        FhirFolderSource(tmp_path).find_stays()


@pytest.mark.parametrize("line", ['{"resourceType": "Encounter", "name": "PRIVATE', '["Encounter"]'])
def test_a_line_that_is_not_a_resource_is_named_but_not_quoted(tmp_path: Path, line: str) -> None:
    (tmp_path / "all.ndjson").write_text(f"{json.dumps(PATIENT)}\n{line}\n")
    with pytest.raises(SourceDataError, match=r"all\.ndjson, line 2") as caught:
        FhirFolderSource(tmp_path).find_stays()
    assert "PRIVATE" not in str(caught.value)


def test_a_broken_gzip_is_an_error(tmp_path: Path, stay: Resource) -> None:
    write(tmp_path, "all.ndjson.gz", *[stay] * 1000)
    whole = (tmp_path / "all.ndjson.gz").read_bytes()
    (tmp_path / "all.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceDataError, match="cannot be read"):
        FhirFolderSource(tmp_path).find_stays()


def test_stays_of_an_export_are_found_without_reading_its_observations(tmp_path: Path, stay: Resource) -> None:
    write(tmp_path, "00001-Encounter.ndjson", stay, PATIENT, ICU)
    (tmp_path / "00002-Observation.ndjson").write_bytes(b"nobody reads this\n")
    assert FhirFolderSource(tmp_path, by_type=True).find_stays().stays["stay_id"].tolist() == ["e1"]
    with pytest.raises(SourceDataError, match="00002-Observation"):
        FhirFolderSource(tmp_path).find_stays()


def test_a_stay_among_the_observations_of_an_export_is_an_error_and_not_overlooked(
    tmp_path: Path, schemas: Path, stay: Resource, pulse: Resource
) -> None:
    write(tmp_path, "00001-Encounter.ndjson", stay, PATIENT, ICU)
    write(tmp_path, "00002-Observation.ndjson", pulse, {**stay, "id": "e2"})
    source = FhirFolderSource(tmp_path, by_type=True)
    assert source.find_stays().stays["stay_id"].tolist() == ["e1"]
    with pytest.raises(SourceDataError, match="line 2: is Encounter, expected Observations only; export again"):
        read(source, schemas)
