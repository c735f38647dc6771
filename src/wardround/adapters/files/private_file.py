"""Writes a file that its owner alone may read, whole, and never in place of one that is there."""

import os
import secrets
from pathlib import Path

from wardround.adapters.files.refused import storing


def write_private(path: Path, content: bytes) -> bool:
    """Writes a new file, whole or not at all; returns False, and leaves it alone, if there is one. Raises StorageError.

    Missing folders are created. If several processes write it at once, the content of one of them counts.
    """
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, whose mode is set from the beginning
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.link(unfinished, path)
        except FileExistsError:
            return False
        finally:
            unfinished.unlink()
    return True
