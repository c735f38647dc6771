"""Tests what `wardround database` prints for backup and restore."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from wardround.adapters.database.tables import METADATA
from wardround.cli.main import wardround
from wardround.errors import DatabaseError, SettingsError, StorageError


@pytest.fixture
def called(tmp_path: Any) -> Any:
    """called(*words) calls `wardround database …` for a database of the test's own."""
    environment = {"WARDROUND_VAR": str(tmp_path), "WARDROUND_DATABASE": ""}

    def call(*words: str, answer: str = "", **more: str) -> Result:
        return CliRunner(env={**environment, **more}).invoke(wardround, ["database", *words], input=answer)

    return call


def test_backup_and_restore_print_how_many_rows_they_copied(called, tmp_path):
    made = called("backup", str(tmp_path / "backup"), "--json")
    assert made.exit_code == 0, made.output
    facts = {"database": str(tmp_path / "wardround.sqlite"), "file": str(tmp_path / "backup")}
    assert json.loads(made.stdout) == {**facts, "rows": dict.fromkeys(METADATA.tables, 0)}
    restored = called("restore", str(tmp_path / "backup"), "--yes", "--json")
    assert json.loads(restored.stdout) == json.loads(made.stdout)


def test_restore_asks_first_and_no_changes_nothing(called, tmp_path):
    called("backup", str(tmp_path / "backup"))
    refused = called("restore", str(tmp_path / "backup"), answer="n\n")
    assert (refused.exit_code, refused.stdout) == (0, "")
    assert f"Replace everything in {tmp_path}/wardround.sqlite with {tmp_path}/backup?" in refused.stderr
    assert "Nothing was changed." in refused.stderr


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("mysql://ward:s3cret@db/ward", SettingsError),
        ("postgresql://ward:s3cret@127.0.0.1:1/ward", (DatabaseError, SettingsError)),
        ("sqlite:////dev/null/ward", StorageError),
    ],
    ids=["unknown", "no server, or no driver for it", "no folder"],
)
def test_a_database_that_cannot_be_used_is_one_error_without_a_password(called, tmp_path, url, error):
    result = called("backup", str(tmp_path / "backup"), WARDROUND_DATABASE=url)
    assert isinstance(result.exception, error)
    assert "s3cret" not in str(result.exception) + result.output
    assert not (tmp_path / "backup").exists()
