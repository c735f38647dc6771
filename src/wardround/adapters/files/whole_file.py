"""Writes a file that is whole or absent: beside its place, flushed to disk against a power cut, and then moved.

The writer holds a lock on the unfinished file, which ends with its process. So the next writer of the same file can
tell a killed process's leftovers from a file that another process is writing.
"""

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import BinaryIO, Final

from wardround.adapters.files.file_lock import lock, try_lock
from wardround.adapters.files.refused import storing

UNFINISHED: Final = ".part-"
"""Part of the name of every unfinished file, and of no other."""


@contextmanager
def whole_file(place: Path) -> Iterator[BinaryIO]:
    """Gives a file to write; it is at `place` when the block ends, and the previous file stays if the block raises.

    Missing folders are created. A device or a pipe is written to directly. Raises StorageError.
    """
    path = place.resolve()
    with storing(path):
        if path.exists() and not path.is_file():
            with path.open("wb") as device:
                yield device
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(path.parent.glob(f".{escape(path.name)}{UNFINISHED}*"))
        unfinished, file = _opened(path)
        try:
            with file:
                yield file
                keep(file)
                unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        keep_folder(path.parent)


def write_whole(place: Path, content: bytes) -> None:
    """Writes the content to `place`, whole or not at all. Raises StorageError."""
    with whole_file(place) as file:
        file.write(content)


def remove_leftovers(folder: Path) -> None:
    """Removes every unfinished file under a folder whose writer is gone; files that are being written stay."""
    _remove(folder.rglob(f".*{UNFINISHED}*"))


def keep(file: BinaryIO) -> None:
    """Returns when the data is on disk: moving the file before could leave an empty file after a power cut."""
    file.flush()
    os.fsync(file.fileno())


def keep_folder(folder: Path) -> None:
    """Returns when the names in the folder are on disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _opened(path: Path) -> tuple[Path, BinaryIO]:
    """Returns a new unfinished file with its lock."""
    while True:
        unfinished = path.with_name(f".{path.name}{UNFINISHED}{secrets.token_hex(4)}")
        file = unfinished.open("xb")
        with suppress(OSError):  # a file system without locks: then leftovers are not removed either
            lock(file)
        if os.fstat(file.fileno()).st_nlink:
            return unfinished, file
        file.close()  # taken for a leftover, between creation and locking


def _remove(unfinished: Iterable[Path]) -> None:
    """Removes those of them that are no longer being written."""
    for left in unfinished:
        with suppress(OSError), left.open("rb") as file:
            if try_lock(file):
                left.unlink()
