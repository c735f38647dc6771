"""Names patients and stays by keyed hashes in all that is kept: equal for one patient, and of no use elsewhere."""

import hmac
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from wardround.adapters.files.secret_file import secret
from wardround.errors import StorageError


@dataclass(frozen=True)
class Pseudonyms:
    """The key of this installation."""

    key: bytes = field(repr=False)

    @classmethod
    def in_folder(cls, var: Path) -> Self:
        """Returns the key that lies in a folder of Wardround's, made if it is missing. Raises StorageError."""
        return cls(secret(_place(var)))

    @classmethod
    def existing(cls, var: Path) -> Self:
        """Returns the key that lies there. Raises StorageError, also if there is none."""
        if not cls.is_there(var):
            raise StorageError(
                f"{_place(var)}: is not there, expected the key of the bedside service; set WARDROUND_VAR to the"
                " folder of the service, or run this where it runs"
            )
        return cls.in_folder(var)

    @staticmethod
    def is_there(var: Path) -> bool:
        """Returns whether a key lies in a folder of Wardround's; none is made."""
        return _place(var).exists()

    def of(self, issuer: str, kind: str, key: str) -> str:
        """Returns the pseudonym of a resource (type and id) at the organisation that `issuer` names."""
        return hmac.new(self.key, json.dumps([issuer, kind, key]).encode(), "sha256").hexdigest()


def _place(var: Path) -> Path:
    return var / "cds" / "pseudonyms.key"
