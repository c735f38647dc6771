"""Reads and changes the folders of the model store: one process at a time, whole or not at all, digests checked."""

import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from wardround.adapters.files.file_lock import locked
from wardround.adapters.files.refused import storing
from wardround.adapters.files.whole_file import keep, keep_folder
from wardround.errors import ModelError
from wardround.spec.base import SpecModel

M = TypeVar("M", bound=SpecModel)

_SAVING: Final = ".saving-"


def condition_folder(root: Path, condition_id: str) -> Path:
    """Returns the folder of a condition. Raises ModelError for an invalid condition id."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", condition_id):
        raise ModelError(f"model store: got condition {condition_id!r}, expected an id such as sepsis; correct it")
    return root / condition_id


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Waits until no other process changes the folder, and makes others wait; creates it. Raises StorageError.

    The lock ends with the process, so to the holder of the lock a half-saved folder is a leftover.
    """
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / ".lock"):
            for left in folder.glob(f"{_SAVING}*"):
                shutil.rmtree(left)
            yield


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def checked(path: Path, digest: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); restore it, or train again") from None
    if digest_of(content) != digest:
        raise ModelError(
            f"{path}: its digest is not the one recorded when it was saved: the file was changed;"
            " do not use it: restore it or train again"
        )
    return content


def parsed(model: type[M], content: bytes, path: Path) -> M:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"]) or "(file)"
        raise ModelError(
            f"{path}: {place}: not in the form that this release writes; restore the file, or train again"
        ) from None


def place_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Puts a folder in place as a whole, for a caller that is `alone`; replaces one that a failed save left there."""
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
