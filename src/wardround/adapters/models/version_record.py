"""Reads what the model store recorded of a condition's versions, without the libraries that a model needs."""

import json
from typing import Final, NamedTuple

from wardround.adapters.models.files import ConditionFiles
from wardround.errors import ModelError

VERSIONS: Final = "versions.json"


class RecordedVersions(NamedTuple):
    """The SHA-256 of each file of each version, oldest first, and the file that says so (None: there is none)."""

    digests: dict[str, dict[str, str]]
    content: bytes | None


def recorded_versions(files: ConditionFiles) -> RecordedVersions:
    """Returns what is recorded; nothing for a condition without a version. Raises ModelError and StorageError."""
    content = files.found(VERSIONS)
    try:
        return RecordedVersions({} if content is None else dict(json.loads(content)), content)
    except (ValueError, TypeError):
        raise ModelError(
            f"{files.location(VERSIONS)}: not the model store's record of digests; restore it, or train again"
        ) from None
