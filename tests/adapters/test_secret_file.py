"""Tests the secret of an installation: made once, for its owner alone, and the same for all processes."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wardround.adapters.files.secret_file import secret
from wardround.errors import StorageError


def test_a_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "new" / "key"

    made = secret(file)

    assert len(made) == 32
    assert secret(file) == made
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_all_who_ask_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = set(threads.map(lambda _: secret(tmp_path / "key"), range(32)))

    assert len(made) == 1


def test_another_installation_has_another(tmp_path: Path) -> None:
    assert secret(tmp_path / "one") != secret(tmp_path / "other")


@pytest.mark.parametrize("content", [b"", b"short"])
def test_a_damaged_secret_is_not_used(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)

    with pytest.raises(StorageError, match="expected 32; restore it, or remove it"):
        secret(tmp_path / "key")


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StorageError):
        secret(tmp_path / "file" / "key")
