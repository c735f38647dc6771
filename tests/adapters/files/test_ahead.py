"""Tests that files are read in their order from any storage, and that what was fetched ahead does not stay."""

import gzip
import tempfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from wardround.adapters.files.ahead import read_ahead
from wardround.adapters.files.storage import storage_at

CONTENTS = {f"{number}.ndjson": f"{number}\n".encode() for number in range(6)}


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


@pytest.fixture(params=["{tmp}/folder", "memory://folder"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A folder with files, of which the last is compressed."""
    url = str(request.param).format(tmp=tmp_path)
    files, root = storage_at(url)
    files.makedirs(root)
    for name, content in CONTENTS.items():
        files.pipe_file(f"{root}/{name}", content)
    files.pipe_file(f"{root}/6.ndjson.gz", gzip.compress(b"6\n"))
    yield url
    files.rm(root, recursive=True)


def paths(url: str) -> tuple[fsspec.AbstractFileSystem, list[str]]:
    files, root = storage_at(url)
    return files, sorted(files.find(root))


def test_files_are_read_in_their_order_and_uncompressed(url, scratch) -> None:
    files, names = paths(url)
    read = []
    for readable in read_ahead(files, names):
        with readable.open() as file:
            read.append((readable.path, file.read()))
        assert len([path for path in scratch.rglob("*.ndjson*") if path.is_file()]) <= 4
    assert read == list(zip(names, [*CONTENTS.values(), b"6\n"], strict=True))
    assert list(scratch.iterdir()) == []


def test_a_reader_that_stops_leaves_nothing(url, scratch) -> None:
    files, names = paths(url)
    reading = read_ahead(files, names)
    next(reading)
    reading.close()
    assert list(scratch.iterdir()) == []


def test_a_file_that_is_gone_is_an_error_when_it_is_opened(url) -> None:
    files, names = paths(url)
    first, gone = read_ahead(files, [names[0], f"{names[0]}-gone"])
    assert (first.path, gone.path) == (names[0], f"{names[0]}-gone")
    with pytest.raises(FileNotFoundError):
        gone.open()
