"""The request.json of a run's folder: one reader and one writer."""

from pathlib import Path

import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.adapters.files.stored_request_file import read_request, write_request
from wardround.core.stored_request import StoredScreening, StoredTraining
from wardround.errors import RunNotFound, StorageError

SCREENING = StoredScreening.model_validate(
    {
        "condition": "sepsis",
        "source_url": "https://fhir.example.org/r4",
        "as_of": "2026-01-02T05:00:00Z",
        "mode": "live",
        "model_version": "1",
        "chunk_size": 20,
    }
)


def test_what_is_written_is_read_back_and_nothing_is_added(tmp_path: Path) -> None:
    folder = RunFolder(str(tmp_path))
    write_request(folder, SCREENING)
    assert read_request(folder, StoredScreening) == SCREENING
    assert folder.read_json("request.json") == SCREENING.as_json()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON, expected the request of a run"),
        ("[]", "cannot be used: it: input should be a valid"),
        ('{"condition": "sepsis"}', "cannot be used: created: field required"),
        ('{"source_url": "u", "as_of": "PRIVATE"}', "as_of: input should be a valid datetime"),
    ],
)
def test_a_damaged_request_is_an_error_that_names_the_file_and_what_to_do(
    tmp_path: Path, content: str, said: str
) -> None:
    folder = RunFolder(str(tmp_path))
    folder.write_text("request.json", content)
    with pytest.raises(StorageError) as error:
        read_request(folder, StoredScreening)
    assert str(error.value).startswith(f"{tmp_path}/request.json: ")
    assert said in str(error.value)
    assert str(error.value).endswith("; restore the file from a backup, or start a new run")
    assert "PRIVATE" not in str(error.value)


def test_a_run_of_the_other_kind_is_not_the_run_that_was_asked_for(tmp_path: Path) -> None:
    folder = RunFolder(str(tmp_path))
    write_request(folder, SCREENING)
    with pytest.raises(RunNotFound, match="is the request of a screening, expected that of a training"):
        read_request(folder, StoredTraining)
