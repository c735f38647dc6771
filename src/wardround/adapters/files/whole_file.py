"""A file that is whole or not there: written beside its place, kept through a power cut, and then moved.

The writer holds a lock on the unfinished file, which ends with its process. So the next writer of the same file can
tell what a killed process left behind from what another one is writing.
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
"""In the name of every unfinished file, and of no other."""


@contextmanager
def whole_file(place: Path) -> Iterator[BinaryIO]:
    """A file to write; it stands at `place` when the block ends, and what stood there before stays if it raises.

    Missing folders are made. A device or a pipe is written to as it is. Raises StorageError.
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
    """Raises StorageError."""
    with whole_file(place) as file:
        file.write(content)


def remove_leftovers(folder: Path) -> None:
    """Removes every unfinished file under a folder whose writer is gone; what somebody writes now stays."""
    _remove(folder.rglob(f".*{UNFINISHED}*"))


def keep(file: BinaryIO) -> None:
    """Returns when what was written lies on the disk: a move before would keep an empty file in a power cut."""
    file.flush()
    os.fsync(file.fileno())


def keep_folder(folder: Path) -> None:
    """Returns when the names in the folder lie on the disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _opened(path: Path) -> tuple[Path, BinaryIO]:
    """A new unfinished file with its lock."""
    while True:
        unfinished = path.with_name(f".{path.name}{UNFINISHED}{secrets.token_hex(4)}")
        file = unfinished.open("xb")
        with suppress(OSError):  # a file system without locks: then nobody removes leftovers either
            lock(file)
        if os.fstat(file.fileno()).st_nlink:
            return unfinished, file
        file.close()  # taken for a leftover, between its making and its lock


def _remove(unfinished: Iterable[Path]) -> None:
    """Those of them that nobody writes any more."""
    for left in unfinished:
        with suppress(OSError), left.open("rb") as file:
            if try_lock(file):
                left.unlink()
