"""Reads what the model store recorded of a condition's versions, without the libraries that a model needs."""

import json
from pathlib import Path
from typing import Final

from wardround.adapters.files.refused import storing
from wardround.adapters.models.files import condition_folder
from wardround.errors import ModelError

VERSIONS: Final = "versions.json"


def recorded_versions(root: Path, condition_id: str) -> dict[str, dict[str, str]]:
    """Returns the SHA-256 of each file of each version, oldest first; nothing for a condition without a version.

    Raises ModelError and StorageError.
    """
    path = condition_folder(root, condition_id) / VERSIONS
    with storing(path):
        if not path.is_file():
            return {}
        content = path.read_bytes()
    try:
        return dict(json.loads(content))
    except (ValueError, TypeError):
        raise ModelError(f"{path}: not the model store's record of digests; restore it, or train again") from None
