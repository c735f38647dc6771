"""Names patients and stays by keyed hashes in all that is kept: equal for one patient, and of no use elsewhere."""

import hmac
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from wardround.adapters.files.secret_file import secret


@dataclass(frozen=True)
class Pseudonyms:
    """The key of this installation."""

    key: bytes = field(repr=False)

    @classmethod
    def in_folder(cls, var: Path) -> Self:
        """Returns the key that lies in a folder of Wardround's, made if it is missing. Raises StorageError."""
        return cls(secret(var / "cds" / "pseudonyms.key"))

    def of(self, issuer: str, kind: str, key: str) -> str:
        """Returns the pseudonym of a resource (type and id) at the organisation that `issuer` names."""
        return hmac.new(self.key, json.dumps([issuer, kind, key]).encode(), "sha256").hexdigest()
