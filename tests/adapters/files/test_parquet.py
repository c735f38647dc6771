"""Tests that parquet files are read whole or in part, and by no thread that could outlive the interpreter."""

import io
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from wardround.adapters.files.parquet import batches_in, frame_in, schema_of

ROWS = 3_000


@pytest.fixture
def frame() -> pd.DataFrame:
    columns = {f"c{number}": [number + row / 7 for row in range(ROWS)] for number in range(20)}
    return pd.DataFrame({"stay_id": [str(row) for row in range(ROWS)], **columns})


@pytest.fixture
def file(frame, tmp_path) -> Path:
    path = tmp_path / "a.parquet"
    frame.to_parquet(path, index=False)
    return path


def test_a_path_an_open_file_and_a_files_content_are_read_alike(frame, file) -> None:
    content = file.read_bytes()
    for parquet in (file, io.BytesIO(content), content):
        pd.testing.assert_frame_equal(frame_in(parquet), frame)
        pd.testing.assert_frame_equal(frame_in(parquet, ("c3", "stay_id")), frame[["c3", "stay_id"]])


def test_a_file_is_read_some_rows_at_a_time(frame, file) -> None:
    with file.open("rb") as opened:
        assert schema_of(opened).names == list(frame)
        batches = list(batches_in(opened, 1_000, ["stay_id", "c0"]))
    assert [len(batch) for batch in batches] == [1_000] * 3
    pd.testing.assert_frame_equal(
        pd.concat([batch.to_pandas() for batch in batches], ignore_index=True), frame.iloc[:, :2]
    )


_READING = """
import os, sys
from wardround.adapters.files.parquet import batches_in, frame_in
before = set(os.listdir("/proc/self/task"))
with open(sys.argv[1], "rb") as file:
    frame_in(file)
    list(batches_in(file, 1000))
    file.seek(0)
    frame_in(file.read())
print(len(set(os.listdir("/proc/self/task")) - before))
"""


def test_reading_starts_no_thread(file) -> None:
    done = subprocess.run([sys.executable, "-c", _READING, str(file)], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
