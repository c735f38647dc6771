"""Tests that frames can be written piece by piece to one parquet file."""

import pandas as pd
import pytest

from wardround.adapters.files.table_file import TableFile


def test_pieces_become_one_file(tmp_path):
    with TableFile(tmp_path / "a.parquet") as file:
        file.write(pd.DataFrame({"a": [1, 2]}))
        file.write(pd.DataFrame({"a": pd.Series([], dtype="int64")}))
        file.write(pd.DataFrame({"a": [3]}))
    assert pd.read_parquet(tmp_path / "a.parquet")["a"].tolist() == [1, 2, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_text("old")

    def half() -> None:
        with TableFile(path) as file:
            file.write(pd.DataFrame({"a": [1]}))
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        half()
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["a.parquet"]


def test_without_a_piece_there_is_no_file(tmp_path):
    with TableFile(tmp_path / "a.parquet"):
        pass
    assert list(tmp_path.iterdir()) == []
