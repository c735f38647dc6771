"""Reads and changes the folders of the model store: one process at a time, whole or not at all, digests checked.

The store is a folder, or lies in object storage. Whoever changes something there holds the lock that all who share it
respect (`adapters.locks`), and is asked before each write whether it still holds it.
"""

import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from wardround.adapters import locks
from wardround.adapters.files.file_lock import locked
from wardround.adapters.files.folder import Folder
from wardround.adapters.files.refused import storing
from wardround.adapters.files.whole_file import keep, keep_folder
from wardround.adapters.locks import Require
from wardround.errors import ModelError, StorageError
from wardround.spec.base import SpecModel

M = TypeVar("M", bound=SpecModel)

_SAVING: Final = ".saving-"


class ConditionFiles(Folder):
    """The files of one condition in the model store at `root`, a path or a URL."""

    def __init__(self, root: Path | str, condition_id: str) -> None:
        """Raises ModelError for an invalid condition id."""
        if not re.fullmatch(r"[a-z][a-z0-9_]*", condition_id):
            raise ModelError(f"model store: got condition {condition_id!r}, expected an id such as sepsis; correct it")
        super().__init__(f"{str(root).rstrip('/')}/{condition_id}")
        self.condition = condition_id

    def checked(self, digests: Mapping[str, str]) -> dict[str, bytes]:
        """Returns the contents of these files, of which each must have its digest (SHA-256). Raises ModelError."""
        try:
            found = self.found_of(digests)
        except StorageError as error:
            raise ModelError(str(error)) from None
        for name, digest in digests.items():
            place = self.location(name)
            if name not in found:
                raise ModelError(f"{place}: cannot be read (there is no such file); restore it, or train again")
            if digest_of(found[name]) != digest:
                raise ModelError(
                    f"{place}: its digest is not the one recorded when it was saved: the file was changed;"
                    " do not use it: restore it or train again"
                )
        return found

    def parsed(self, model: type[M], content: bytes, name: str) -> M:
        """Returns what a file says. Raises ModelError."""
        try:
            return model.model_validate_json(content)
        except ValidationError as error:
            place = ".".join(str(part) for part in error.errors()[0]["loc"]) or "(file)"
            raise ModelError(
                f"{self.location(name)}: {place}: not in the form that this release writes; restore the file, or train"
                " again"
            ) from None

    @contextmanager
    def alone(self, database: str) -> Iterator["Changes"]:
        """Waits until no other process changes the condition, and makes others wait; `database` is for object storage.

        Raises StorageError or DatabaseError, also if the lock was lost meanwhile.
        """
        if not self.is_local:
            with locks.alone(locks.locks_for(self.url, database), "models", [self.url]) as require:
                yield Changes(self, require)
            return
        with storing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            with locked(self.path / ".lock"):
                # The lock ends with the process, so to its holder a half-saved folder is a leftover.
                for left in self.path.glob(f"{_SAVING}*"):
                    shutil.rmtree(left)
                yield Changes(self, lambda: None)


@dataclass(frozen=True)
class Changes:
    """Changes a condition's files, for the one process that is `alone`. All raise StorageError or DatabaseError."""

    files: ConditionFiles
    require: Require

    def write_over(self, name: str, before: bytes | None, content: bytes) -> None:
        """Writes a file in place of what was read there (None: nothing)."""
        self.require()
        self.files.write_over(name, before, content)

    def remove(self, name: str) -> None:
        """Removes a file if it exists."""
        self.require()
        self.files.remove(name)

    def place_folder(self, name: str, contents: Mapping[str, bytes]) -> None:
        """Puts a folder in place, or in place of one that a failed save left there; it counts once it is recorded.

        In a folder it appears as a whole; in object storage, object by object.
        """
        if self.files.is_local:
            _place(self.files.path / name, contents)
            return
        for file, content in contents.items():
            self.require()
            self.files.write_bytes(f"{name}/{file}", content)


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _place(folder: Path, contents: Mapping[str, bytes]) -> None:
    staging = folder.with_name(f"{_SAVING}{secrets.token_hex(4)}")
    staging.mkdir()
    try:
        for name, content in contents.items():
            with (staging / name).open("wb") as file:
                file.write(content)
                keep(file)
        keep_folder(staging)
        if folder.exists():
            shutil.rmtree(folder)
        staging.replace(folder)
    except BaseException:
        with suppress(OSError):
            shutil.rmtree(staging)
        raise
    keep_folder(folder.parent)


def as_bytes(content: Mapping[str, object]) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()
