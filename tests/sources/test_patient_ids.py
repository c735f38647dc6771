"""Tests files of patient ids in all supported formats."""

import gzip
from pathlib import Path

import fsspec
import pytest

from wardround.errors import SourceDataError
from wardround.sources.patient_ids import patient_ids_in

FILES = {
    "ids.txt": "a1\n\n  Patient/b2 \n",
    "ids.csv": "name,patient_id\nx,a1\ny,\nz,Patient/b2\n",
    "one.csv": "anything\na1\nPatient/b2\n",
    "bom.csv": "\ufeffpatient_id,ward\na1,1\nPatient/b2,2\n",
    "ids.ndjson": '{"patient_id": "a1"}\n\n{"patient_id": "Patient/b2"}\n',
    "patients.ndjson": '{"resourceType": "Patient", "id": "a1"}\n{"resourceType": "Patient", "id": "Patient/b2"}\n',
}


@pytest.mark.parametrize("name", FILES)
def test_the_ids_are_read_as_the_name_says(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(FILES[name], encoding="utf-8")
    assert list(patient_ids_in(str(tmp_path / name))) == ["a1", "Patient/b2"]


def test_a_column_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("patient_id,fhir\n1,a1\n2,b2\n")
    (tmp_path / "ids.ndjson").write_text('{"patient_id": 1, "fhir": "a1"}\n{"patient_id": 2, "fhir": "b2"}\n')
    assert list(patient_ids_in(str(tmp_path / "ids.csv"), "fhir")) == ["a1", "b2"]
    assert list(patient_ids_in(str(tmp_path / "ids.ndjson"), "fhir")) == ["a1", "b2"]


def test_a_file_may_be_compressed_and_in_other_storage(tmp_path: Path) -> None:
    (tmp_path / "ids.csv.gz").write_bytes(gzip.compress(b"patient_id\na1\n"))
    assert list(patient_ids_in(str(tmp_path / "ids.csv.gz"))) == ["a1"]
    with fsspec.open("memory://cohorts/ids.txt", "wt") as file:
        file.write("a1\n")
    assert list(patient_ids_in("memory://cohorts/ids.txt")) == ["a1"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("ids.csv", "name,ward\nSecret,1\n", "no column 'patient_id'"),
        ("ids.ndjson", '{"name": "Secret"}\n', "line 1: has no id under 'patient_id'"),
        ("ids.ndjson", "Secret\n", "cannot be read"),
        ("ids.txt.gz", "Secret", "cannot be read"),
    ],
)
def test_the_error_for_an_unreadable_file_quotes_no_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(SourceDataError, match=message) as caught:
        list(patient_ids_in(str(tmp_path / name)))
    assert "Secret" not in str(caught.value)


def test_a_missing_file_is_an_error() -> None:
    with pytest.raises(SourceDataError, match="cannot be read"):
        list(patient_ids_in("/nowhere/ids.csv"))
