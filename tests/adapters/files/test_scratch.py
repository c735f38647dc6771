"""Tests that a scratch folder is removed after use, and that leftovers of a killed process are removed by the next."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from wardround.adapters.files.scratch import scratch_folder
from wardround.errors import StorageError


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_is_there_while_the_block_lasts_and_nothing_of_it_after(place) -> None:
    with scratch_folder() as folder:
        (folder / "a").mkdir()
        assert folder.parent == place
    assert list(place.iterdir()) == []


def test_it_is_removed_if_the_block_raises(place) -> None:
    def half() -> None:
        with scratch_folder() as folder:
            (folder / "a").write_text("much")
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        half()
    assert list(place.iterdir()) == []


_KILLED = """
import os, signal, sys, tempfile
from wardround.adapters.files.scratch import scratch_folder
tempfile.tempdir = sys.argv[1]
with scratch_folder() as folder:
    (folder / "much").write_text("much")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_goes_with_the_next_and_what_is_in_use_or_not_ours_stays(place) -> None:
    (place / "wardround-scratch-of-somebody").mkdir()
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(place)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = place.glob("wardround-scratch-*/much")
    with scratch_folder() as first:
        assert not left.exists()
        with scratch_folder() as second:
            assert first.is_dir()
            assert second.is_dir()
        assert first.is_dir()
    assert [path.name for path in place.iterdir()] == ["wardround-scratch-of-somebody"]


def test_a_place_that_takes_no_folder_is_named(tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="there is a file where a folder is expected"), scratch_folder():
        pass
