"""Reads and writes the files of a folder at a path or an fsspec URL; a file is either whole or absent.

A local file is written under a temporary name and then moved, and an object is uploaded in one go, so that a killed or
repeated writer leaves no partial file.
"""

import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, cast

from wardround.adapters.files.refused import storing
from wardround.adapters.files.storage import asking, content_of, is_local, storage_at, tag_of
from wardround.adapters.files.whole_file import UNFINISHED, remove_leftovers, whole_file
from wardround.errors import StorageError

AT_ONCE: Final = 16  # how many files are read at once: object storage takes time for each


class Folder:
    """The files below `url`, by their names (`chunk-0001/events.parquet`).

    Every method raises StorageError if the storage refuses it.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._files, self._root = storage_at(self.url)
        self.is_local = is_local(self._files)

    @property
    def path(self) -> Path:
        """The folder, where it is local."""
        return Path(self._root)

    def found(self, name: str) -> bytes | None:
        """Returns the content of a file; None if it does not exist."""
        try:
            with self._using(name):
                return content_of(self._files, self._path(name))
        except FileNotFoundError:
            return None

    def found_of(self, names: Iterable[str]) -> dict[str, bytes]:
        """Returns the contents of those of these files that exist; object storage is asked for some at a time."""
        if self.is_local:
            return {name: content for name in names if (content := self.found(name)) is not None}
        with ThreadPoolExecutor(AT_ONCE) as readers:
            contents = zip(names := list(names), readers.map(self.found, names), strict=True)
            return {name: content for name, content in contents if content is not None}

    def exists(self, name: str) -> bool:
        """Returns whether there is such a file."""
        with self._using(name):
            return bool(self._files.exists(self._path(name)))

    def list(self, folder: str = "") -> list[str]:
        """Returns the names of all files, or of those in a folder, sorted; those being written are left out."""
        with self._using(folder):
            paths = self._files.find(self._path(folder) if folder else self._root)
        names = [path[len(self._root) :].lstrip("/") for path in paths]
        return sorted(name for name in names if UNFINISHED not in name)

    def write_bytes(self, name: str, content: bytes) -> None:
        """Writes a file, replacing what is there."""
        if self.is_local:
            with self.writing(name) as file:
                file.write(content)
        else:
            with self._using(name, to_write=True):
                self._files.pipe_file(self._path(name), content)

    def write_over(self, name: str, before: bytes | None, content: bytes) -> None:
        """Writes a file in place of `before` (None: of no file), for a caller that holds the file's lock.

        In object storage a lock may have been lost without its holder knowing yet. So what is there is compared once
        more, by S3 itself when it writes; StorageError if it is something else.
        """
        if self.is_local:
            self.write_bytes(name, content)
            return
        with self._using(name):
            condition = tag_of(self._files, self._path(name))
        if self.found(name) != before:
            raise self._overtaken(name)
        try:
            with self._using(name, to_write=True):
                self._files.pipe_file(self._path(name), content, **condition)
        except StorageError:
            # It may have been written by an attempt whose answer was lost, and only the repetition was refused.
            there = self.found(name)
            if there == content:
                return
            if there != before:
                raise self._overtaken(name) from None
            raise

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """Gives a file to write part by part; it appears when the block ends, and not at all if it raises."""
        if self.is_local:
            with whole_file(Path(self._path(name))) as file:
                yield file
            return
        # An object appears when it is uploaded, and an upload that was begun ends as an object whatever happens.
        with tempfile.NamedTemporaryFile() as file:
            yield cast("BinaryIO", file)
            file.flush()
            with self._using(name, to_write=True):
                self._files.put_file(file.name, self._path(name))

    def clear(self, folder: str = "", keep: tuple[str, ...] = ()) -> None:
        """Removes all files, or those in a folder, except those whose names begin with one of `keep`."""
        with self._using(folder):
            if keep:
                for name in self.list(folder):
                    if not name.startswith(keep):
                        self._files.rm_file(self._path(name))
            elif self._files.exists(path := self._path(folder) if folder else self._root):
                self._files.rm(path, recursive=True)

    def size(self) -> int:
        """Returns how many bytes all files have together."""
        with self._using(""):
            found = self._files.find(self._root, detail=True)
        return sum(int(facts["size"]) for facts in found.values())

    def last_written(self) -> datetime | None:
        """Returns when the last file was written, by the storage's clock; None if there is no file."""
        last: datetime | None = None
        with self._using(""):
            for path in self._files.find(self._root):
                with suppress(FileNotFoundError):  # somebody has just removed it
                    time = self._files.modified(path)
                    last = max(last or time, time)
        return last

    def remove(self, name: str) -> None:
        """Removes a file if it exists."""
        if self.exists(name):
            with self._using(name):
                self._files.rm_file(self._path(name))

    def remove_leftovers(self) -> None:
        """Removes what killed writers left; on object storage, the storage's own rules do that."""
        if self.is_local:
            remove_leftovers(self.path)

    def location(self, name: str) -> str:
        """Returns where a file is: a path for a local folder, a URL for other storage."""
        path = self._path(name)
        return path if self.is_local else str(self._files.unstrip_protocol(path))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _overtaken(self, name: str) -> StorageError:
        return StorageError(
            f"{self.location(name)}: was written by another process meanwhile, expected it as it was read; nothing was"
            " written: look at what is there now, then try again"
        )

    def _using(self, name: str, *, to_write: bool = False) -> AbstractContextManager[None]:
        if self.is_local:
            return storing(Path(self._path(name)))
        return asking(self.location(name), to_write=to_write)
