"""Keeps a random secret of this installation in a file that its owner alone may read."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from wardround.adapters.files.refused import storing
from wardround.errors import StorageError

_BYTES: Final = 32


def secret(path: Path) -> bytes:
    """Returns the secret in the file, made once and the same for all processes. Raises StorageError."""
    with storing(path):
        if not path.exists():
            _make(path)
        content = path.read_bytes()
    if len(content) != _BYTES:
        raise StorageError(
            f"{path}: has {len(content)} bytes, expected {_BYTES}; restore it, or remove it: a new one is then made, by"
            " which nobody is recognised who was known before"
        )
    return content


def _make(path: Path) -> None:
    """Makes the file whole or not at all; if another process does so first, its secret counts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, whose mode is set from the beginning
            file.write(secrets.token_bytes(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(unfinished, path)
    finally:
        unfinished.unlink()
