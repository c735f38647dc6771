"""Reads files one after the other; those in object storage are fetched while an earlier one is read."""

import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Final, NamedTuple

import fsspec

from wardround.adapters.files.scratch import scratch_folder
from wardround.adapters.files.storage import asking, is_local

_AHEAD: Final = 2  # files that are fetched before they are asked for, and lie in TMPDIR meanwhile


class Readable(NamedTuple):
    """A file: its path, and what opens it, which is called once, before the next file is asked for."""

    path: str
    open: Callable[[], IO[bytes]]


def read_ahead(files: fsspec.AbstractFileSystem, paths: Sequence[str]) -> Iterator[Readable]:
    """Yields these files in their order. What they are compressed with is known by their names, and is undone."""
    if is_local(files):
        yield from (Readable(path, partial(_opened, files, path)) for path in paths)
        return
    with scratch_folder() as scratch, ThreadPoolExecutor(_AHEAD) as fetching:
        waiting: deque[tuple[str, Path, Future[None]]] = deque()
        rest = iter(enumerate(paths))
        try:
            while True:
                for number, path in rest:
                    place = scratch / str(number) / PurePosixPath(path).name
                    waiting.append((path, place, fetching.submit(_fetch, files, path, place)))
                    if len(waiting) > _AHEAD:
                        break
                if not waiting:
                    return
                path, place, fetched = waiting.popleft()
                yield Readable(path, partial(_opened_when, fetched, place))
                shutil.rmtree(place.parent, ignore_errors=True)
        finally:
            for _, _, fetched in waiting:
                fetched.cancel()


def _fetch(files: fsspec.AbstractFileSystem, path: str, place: Path) -> None:
    place.parent.mkdir()
    with asking(str(files.unstrip_protocol(path))):
        files.get_file(path, str(place))


def _opened_when(fetched: "Future[None]", place: Path) -> IO[bytes]:
    fetched.result()
    return _opened(fsspec.filesystem("file"), str(place))


def _opened(files: fsspec.AbstractFileSystem, path: str) -> IO[bytes]:
    file: IO[bytes] = files.open(path, "rb", compression="infer")
    return file
