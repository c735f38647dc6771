"""Tests that a file lock excludes others, can be shared, and ends with its process."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from wardround.adapters.files.file_lock import lock, locked, try_lock
from wardround.errors import StorageError


def _is_free(path: Path) -> bool:
    with path.open("a+") as file:
        return try_lock(file)


def test_a_lock_is_free_again_when_the_block_ends_also_by_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with suppress(KeyError), locked(path):
        assert not _is_free(path)
        raise KeyError
    assert _is_free(path)


def test_those_who_share_a_lock_hold_it_together(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with path.open("a+") as one, path.open("a+") as other:
        lock(one, shared=True)
        lock(other, shared=True)
        one.close()
        assert not _is_free(path)
    assert _is_free(path)


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    code = (
        "import sys, pathlib, wardround.adapters.files.file_lock as it\n"
        "with it.locked(pathlib.Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert not _is_free(path)
        child.kill()
    assert _is_free(path)


def test_a_lock_that_cannot_be_made_is_an_error_of_storage(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is expected"), locked(tmp_path):
        pass
