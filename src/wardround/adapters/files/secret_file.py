"""Keeps a random secret of this installation in a file that its owner alone may read."""

import secrets
from pathlib import Path
from typing import Final

from wardround.adapters.files.private_file import write_private
from wardround.adapters.files.refused import storing
from wardround.errors import StorageError

_BYTES: Final = 32


def secret(path: Path) -> bytes:
    """Returns the secret in the file, made once and the same for all processes. Raises StorageError."""
    with storing(path):
        if not path.exists():
            write_private(path, secrets.token_bytes(_BYTES))
        content = path.read_bytes()
    if len(content) != _BYTES:
        raise StorageError(
            f"{path}: has {len(content)} bytes, expected {_BYTES}; restore it, or remove it: a new one is then made, by"
            " which nobody is recognised who was known before"
        )
    return content
