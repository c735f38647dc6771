"""The files of the model store: written whole or not at all, and read only with the digest that was recorded."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from wardround.errors import ModelError
from wardround.spec.base import SpecModel

M = TypeVar("M", bound=SpecModel)


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def checked(path: Path, digest: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); restore it, or train again") from None
    if digest_of(content) != digest:
        raise ModelError(
            f"{path}: its digest is not the one recorded when it was saved: the file was changed; do not use it,"
            " restore it or train again"
        )
    return content


def parsed(model: type[M], content: bytes, path: Path) -> M:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"]) or "(file)"
        raise ModelError(f"{path}: {place}: not what this release writes; restore the file, or train again") from None


def place_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Puts a folder in place as a whole; one that a broken save left there without a record is replaced."""
    staging = Path(tempfile.mkdtemp(prefix=".saving-", dir=folder.parent))
    for name, content in contents.items():
        (staging / name).write_bytes(content)
    staging.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)
    staging.replace(folder)


def as_text(content: Mapping[str, object]) -> str:
    return json.dumps(content, indent=2) + "\n"


def write_whole(path: Path, text: str) -> None:
    staging = path.with_name(f".{path.name}.{os.getpid()}")
    with staging.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        # A switch that somebody turned off must be off after a power cut as well.
        os.fsync(file.fileno())
    staging.replace(path)
