"""Tests that a file is complete or absent, even if its writer is killed, and that no leftovers remain."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wardround.adapters.files.whole_file import UNFINISHED, whole_file, write_whole
from wardround.errors import FhirError, StorageError


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_the_block_ends_with_the_folders_that_it_needs(tmp_path) -> None:
    place = tmp_path / "a" / "b" / "c.txt"
    with whole_file(place) as file:
        file.write(b"half")
        assert not place.exists()
        file.write(b" and half")
    assert place.read_bytes() == b"half and half"
    assert _names(place.parent) == ["c.txt"]


def _fail_within(place: Path, error: Exception) -> None:
    with whole_file(place) as file:
        file.write(b"new")
        raise error


@pytest.mark.parametrize(
    "error", [ValueError("half"), FhirError("gone"), ConnectionError("gone"), OSError(2, "no", "x")]
)
def test_an_error_of_somebody_elses_leaves_the_old_file_and_passes_as_it_is(tmp_path, error) -> None:
    place = tmp_path / "a.txt"
    place.write_text("old")
    with pytest.raises(type(error)) as raised:
        _fail_within(place, error)
    assert raised.value is error
    assert (place.read_text(), _names(tmp_path)) == ("old", ["a.txt"])


def test_symbolic_links_and_devices_are_kept(tmp_path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_whole(tmp_path / "link", b"new")
    write_whole(Path("/dev/null"), b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    assert Path("/dev/null").is_char_device()


_KILLED = """
import os, signal, sys
from pathlib import Path
from wardround.adapters.files.whole_file import whole_file
with whole_file(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_goes_with_the_next_who_writes_and_what_another_writes_now_does_not(tmp_path) -> None:
    place = tmp_path / "a[1].txt"
    (tmp_path / "a1.txt.part-0").write_text("somebody else's")
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(place)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not place.exists()
    assert [UNFINISHED in name for name in _names(tmp_path)] == [True, True]
    with whole_file(place) as first:
        with whole_file(place) as second:
            second.write(b"second")
        first.write(b"first")
    assert place.read_bytes() == b"first"
    assert _names(tmp_path) == ["a1.txt.part-0", "a[1].txt"]


def test_a_full_disk_is_an_error_of_ours_with_the_path_and_what_to_do() -> None:
    with pytest.raises(StorageError, match=r"^/dev/full: the disk is full, expected to .*; free some space"):
        write_whole(Path("/dev/full"), b"much")


def test_a_file_in_place_of_a_folder_and_a_folder_in_place_of_a_file_are_errors_that_say_so(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(
        StorageError, match=r"file/a\.txt: there is a file where a folder is expected.*;" r" choose another"
    ):
        write_whole(tmp_path / "file" / "a.txt", b"")
    with pytest.raises(StorageError, match="folder: there is a folder where a file is expected"):
        write_whole(tmp_path / "folder", b"")


@pytest.mark.parametrize("name", ["x" * 300, "y" * 245])
def test_a_name_that_is_too_long_is_an_error_that_says_so(tmp_path, name) -> None:
    with pytest.raises(StorageError, match="the name is too long"):
        write_whole(tmp_path / name, b"")
