"""Tests that refusals of the operating system become StorageErrors, and that other errors stay as they are."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from wardround.adapters.files.refused import refused, storing, storing_rows
from wardround.errors import StorageError

PLACE = Path("/somewhere/models/live.json")


def _raise(error: BaseException) -> None:
    with storing(PLACE):
        raise error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "x"), "the disk is full"),
        (OSError(errno.EDQUOT, "x"), "this user's quota is used up"),
        (OSError(errno.EFBIG, "x"), "larger than is allowed"),
        (OSError(errno.EROFS, "x", str(PLACE)), "read-only"),
        (OSError(errno.EIO, "x"), "the disk has failed"),
        (OSError(errno.ENOLCK, "x"), "the file system does not support locks"),
        (OSError(errno.ESTALE, "x"), "the network file system no longer has it"),
        (OSError(errno.EACCES, "x", str(PLACE.parent)), "no permission.*allow the user .* to write there"),
        (OSError(errno.EPERM, "x", os.fsencode(PLACE)), "no permission"),
        (OSError(errno.ENOTDIR, "x", "/somewhere"), "there is a file where a folder is expected"),
        (
            OSError(errno.EEXIST, "x", str(PLACE.with_name(".live.json.part-1"))),
            "there is a file where a folder is expected",
        ),
    ],
)
def test_what_is_refused_at_a_place_names_it_the_cause_and_the_remedy(error, said) -> None:
    with pytest.raises(StorageError, match=f"^{PLACE}: .*{said}"):
        _raise(error)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EACCES, "x", "/elsewhere/secret.csv"),
        OSError(errno.EACCES, "x", str(PLACE.with_name("versions.json"))),
        OSError(errno.EACCES, "x"),
        OSError(errno.ENOENT, "x", str(PLACE)),
        OSError(errno.ECONNRESET, "x"),
        ConnectionError("the server is gone"),
        ValueError("x"),
    ],
)
def test_what_was_refused_elsewhere_passes(error) -> None:
    with pytest.raises(type(error)) as raised:
        _raise(error)
    assert raised.value is error


def test_what_an_object_store_refuses_without_a_number_is_named_as_well() -> None:
    assert str(refused("s3://runs/a", PermissionError("Forbidden"))) == (
        "s3://runs/a: refused (PermissionError), expected to read and write there; check the place"
    )


def test_a_database_that_cannot_be_used_is_named_and_another_error_of_sqlite_passes(tmp_path) -> None:
    (tmp_path / "text").write_text("no database" * 100)
    for name, said in (("none/x.sqlite", "cannot be opened"), ("text", "is not a SQLite database")):
        with pytest.raises(StorageError, match=f"{name}: {said}"), storing_rows(tmp_path / name):
            sqlite3.connect(tmp_path / name).execute("SELECT * FROM t")
    with pytest.raises(sqlite3.OperationalError, match="no such table"), storing_rows(tmp_path / "x"):
        sqlite3.connect(":memory:").execute("SELECT * FROM t")
