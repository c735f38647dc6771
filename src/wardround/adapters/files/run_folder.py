"""Reads and writes one run's folder at an fsspec URL: frames as parquet, the rest as JSON or text.

A file is either whole or absent.
"""

import io
import re
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson
import pandas as pd
from pyarrow import BufferReader
from pyarrow.parquet import ParquetFile

from wardround.adapters.files.refused import storing
from wardround.adapters.files.storage import asking, is_local, storage_at
from wardround.adapters.files.whole_file import UNFINISHED, remove_leftovers, whole_file
from wardround.core import run_files
from wardround.errors import RunNotFound

RUN_ID = re.compile(r"[a-z][a-z0-9_]*-\d{8}T\d{6}Z-[0-9a-f]{6}")
READERS = 16  # how many files of runs are read at once: object storage takes time for each


def run_id(condition_id: str, as_of: pd.Timestamp, key: str | None = None) -> str:
    """Returns `<condition>-<as_of>-<6 hex>`.

    The same `key` (a DAG run's id) gives the same run again; None gives a new one.
    """
    return f"{condition_id}-{_as_of_part(as_of)}-{secrets.token_hex(3) if key is None else key_part(key)}"


def key_part(key: str) -> str:
    """Returns the form of a run's key at the end of the run's name."""
    return sha256(key.encode()).hexdigest()[:6]


def _as_of_part(as_of: pd.Timestamp) -> str:
    """Returns the form of a prediction time in a run's name, to the second; earlier times sort first as text."""
    return f"{as_of.tz_convert('UTC'):%Y%m%dT%H%M%SZ}"


class RunFolder:
    """Reads and writes the files of one run by their names (`chunk-0001/events.parquet`).

    A local file is written under a temporary name and then moved, and an object is uploaded in one go, so that a killed
    or repeated task leaves no partial file. Every method raises StorageError if the storage refuses it.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._files, self._root = storage_at(self.url)
        self._is_local = is_local(self._files)

    @classmethod
    def of(cls, runs: str, run: str) -> "RunFolder":
        """Returns the folder of a run under the URL `runs`, existing or not.

        Raises RunNotFound for an invalid run name.
        """
        if not RUN_ID.fullmatch(run):
            raise RunNotFound(f"{runs}: {run!r} is not the name of a run, expected <condition>-<as_of>-<6 hex>")
        return cls(f"{runs.rstrip('/')}/{run}")

    @classmethod
    def existing(cls, runs: str, run: str) -> "RunFolder":
        """Returns the folder of a run that was opened. Raises RunNotFound."""
        folder = cls.of(runs, run)
        if not folder.exists(run_files.REQUEST):
            raise RunNotFound(f"{runs}: there is no run {run}; `wardround runs list` lists the existing ones")
        return folder

    def write_frame(self, name: str, frame: pd.DataFrame) -> None:
        buffer = io.BytesIO()
        # A third faster than the default, and hardly larger.
        frame.to_parquet(buffer, index=False, compression="lz4")
        self.write_bytes(name, buffer.getvalue())

    def read_frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Returns the frame, or only these columns of it."""
        # pandas would take it for one of many files, and start threads for it, which takes twice as long.
        if columns:
            # The table of a training is large, and only these columns of it are read.
            with self.reading(name) as stored, self._using(name):
                part = ParquetFile(stored).read(columns=list(columns), use_threads=False)
        else:
            part = ParquetFile(BufferReader(self.read_bytes(name))).read(use_threads=False)
        return part.to_pandas(use_threads=False)

    def write_json(self, name: str, value: Any) -> None:
        self.write_bytes(name, orjson.dumps(value, option=orjson.OPT_INDENT_2))

    def read_json(self, name: str) -> Any:
        return orjson.loads(self.read_bytes(name))

    def read_json_or(self, name: str, otherwise: Any) -> Any:
        """Returns the content of a JSON file, or `otherwise` if it does not exist."""
        return self.read_json(name) if self.exists(name) else otherwise

    def json_once(self, name: str, make: Callable[[], Any]) -> Any:
        """Returns the content of a JSON file; if it does not exist, makes and writes it first."""
        if not self.exists(name):
            self.write_json(name, make())
        return self.read_json(name)

    def write_text(self, name: str, text: str) -> None:
        self.write_bytes(name, text.encode())

    def write_lines(self, name: str, lines: Iterable[str]) -> None:
        """Writes lines as they come; they must include their line breaks."""
        with self.writing(name) as file:
            file.writelines(line.encode() for line in lines)

    def read_text(self, name: str) -> str:
        return self.read_bytes(name).decode()

    def exists(self, name: str) -> bool:
        with self._using(name):
            return bool(self._files.exists(self._path(name)))

    def list(self, folder: str = "") -> list[str]:
        """Returns the names of all complete files under `folder`, sorted."""
        with self._using(folder):
            paths = self._files.find(self._path(folder) if folder else self._root)
        names = [path[len(self._root) :].lstrip("/") for path in paths]
        return sorted(name for name in names if UNFINISHED not in name)

    def held_of(self, names: Iterable[str]) -> set[str]:
        """Returns which of these files in the run's own folder exist; bypasses any cache of the storage."""
        with self._using(""):
            self._files.invalidate_cache(self._root)
            held = {path.rstrip("/").rsplit("/", 1)[-1] for path in self._files.ls(self._root, detail=False)}
        return held.intersection(names)

    def clear(self, folder: str = "", keep: tuple[str, ...] = ()) -> None:
        """Removes all files of the run, or of a folder in it, except those whose names begin with one of `keep`."""
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
        if self._is_local:
            remove_leftovers(Path(self._root))

    def location(self, name: str) -> str:
        """Returns where a file is: a path for a local folder, a URL for other storage."""
        path = self._path(name)
        return path if self._is_local else str(self._files.unstrip_protocol(path))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def read_bytes(self, name: str) -> bytes:
        try:
            with self._using(name):
                return bytes(self._files.cat_file(self._path(name)))
        except FileNotFoundError:
            raise self._lacks(name) from None

    def write_bytes(self, name: str, content: bytes) -> None:
        if self._is_local:
            with self.writing(name) as file:
                file.write(content)
        else:
            with self._using(name, to_write=True):
                self._files.pipe_file(self._path(name), content)

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """Gives a file to write part by part; it appears when the block ends, and not at all if it raises."""
        if self._is_local:
            with whole_file(Path(self._path(name))) as file:
                yield file
            return
        # An object appears when it is uploaded, and an upload that was begun ends as an object whatever happens.
        with tempfile.NamedTemporaryFile() as file:
            yield cast("BinaryIO", file)
            file.flush()
            with self._using(name, to_write=True):
                self._files.put_file(file.name, self._path(name))

    @contextmanager
    def reading(self, name: str) -> Iterator[BinaryIO]:
        """Gives a file to read part by part. Raises RunNotFound."""
        try:
            with self._using(name):
                file = self._files.open(self._path(name), "rb")
        except FileNotFoundError:
            raise self._lacks(name) from None
        with file:
            yield file

    def _lacks(self, name: str) -> RunNotFound:
        return RunNotFound(f"{self.url}: has no {name}, expected it from an earlier step; run that step")

    def _using(self, name: str, *, to_write: bool = False) -> AbstractContextManager[None]:
        if self._is_local:
            return storing(Path(self._path(name)))
        return asking(self.location(name), to_write=to_write)


def locks_in(runs: str, otherwise: Path) -> Path:
    """Returns the lock folder shared by all who share the runs; `otherwise`, on one machine, for object storage."""
    files, root = storage_at(runs)
    return Path(root) / ".locks" if is_local(files) else otherwise


def runs_in(runs: str) -> list[str]:
    """Returns the ids of the runs under the URL `runs`, sorted; none if there is no such folder."""
    files, root = storage_at(runs)
    with asking(runs):
        # Some storage remembers its listings all the same, and a long-lived process would never see another run.
        files.invalidate_cache(root)
        paths = files.ls(root, detail=False) if files.exists(root) else []
    names = (path.rstrip("/").rsplit("/", 1)[-1] for path in paths)
    return sorted(name for name in names if RUN_ID.fullmatch(name))


def read_together(runs: str, names: Iterable[str]) -> dict[str, bytes]:
    """Returns the files `<run>/<name>` under the URL `runs`, reading some at a time; missing files are left out."""
    files, root = storage_at(runs)

    def content(name: str) -> tuple[str, bytes | None]:
        try:
            return name, bytes(files.cat_file(f"{root}/{name}"))
        except FileNotFoundError:
            return name, None

    with asking(runs), ThreadPoolExecutor(READERS) as readers:
        return {name: found for name, found in readers.map(content, names) if found is not None}


def runs_before(runs: str, condition_id: str, as_of: pd.Timestamp, since: pd.Timestamp | None = None) -> Iterator[str]:
    """Yields a condition's runs for earlier times, latest first; judged by their names, without opening one."""
    prefix = f"{condition_id}-"
    first, now = f"{prefix}{_as_of_part(since) if since else ''}", f"{prefix}{_as_of_part(as_of)}"
    mine = (run for run in runs_in(runs) if run.startswith(prefix))
    yield from sorted((run for run in mine if first <= run and run[: len(now)] < now), reverse=True)
