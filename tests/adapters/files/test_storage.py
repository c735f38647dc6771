"""Tests what is said of storage that cannot be used."""

from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from wardround.adapters.files.run_folder import RunFolder, runs_in
from wardround.adapters.files.storage import is_local, storage_at
from wardround.errors import RunNotFound, StorageError


@pytest.mark.parametrize(
    ("url", "library", "extra"), [("gs://b/runs", "gcsfs", "gcs"), ("abfss://b@account/runs", "adlfs", "azure")]
)
def test_storage_without_its_library_is_refused_with_the_extra_that_brings_it(url, library, extra):
    for use in (storage_at, RunFolder, runs_in):
        with pytest.raises(StorageError) as raised:
            use(url)
        assert str(raised.value).startswith(
            f"{url}: needs {library}, which is not installed; install wardround[{extra}]"
        )


def test_storage_that_nobody_knows_is_refused_with_what_is_known():
    with pytest.raises(
        StorageError, match=r"^nowhere://runs: is in no storage that can be used here, expected .* s3://.* gs://"
    ):
        storage_at("nowhere://runs")


@pytest.mark.parametrize(
    ("url", "local"), [("{tmp}/runs", True), ("file://{tmp}/runs", True), ("memory://runs", False)]
)
def test_a_path_is_local_and_another_protocol_is_not(url, local, tmp_path):
    assert is_local(storage_at(url.format(tmp=tmp_path))[0]) is local


def of_library(module: str, name: str) -> Exception:
    """An error as a store's library raises it, which is no OSError."""
    return type(name, (Exception,), {"__module__": module})("of the library")


class Refusing(MemoryFileSystem):
    """An object store that answers every request with an error."""

    protocol = "refusing"
    error: Exception

    def _refuse(self, *_args: Any, **_options: Any) -> Any:
        raise self.error

    exists = find = ls = cat_file = pipe_file = put_file = rm_file = open = _refuse


fsspec.register_implementation("refusing", Refusing, clobber=True)

USES = {
    "exists": lambda folder: folder.exists("a.json"),
    "list": lambda folder: folder.list(),
    "held_of": lambda folder: folder.held_of(["a.json"]),
    "read": lambda folder: folder.read_json("a.json"),
    "read a part": lambda folder: folder.read_frame("a.parquet", ["a"]),
    "write": lambda folder: folder.write_json("a.json", 1),
    "write parts": lambda folder: folder.write_lines("a.txt", ["a\n"]),
    "remove": lambda folder: folder.remove("a.json"),
    "clear": lambda folder: folder.clear(),
    "runs": lambda _folder: runs_in("refusing://runs"),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (of_library("botocore.exceptions", "NoCredentialsError"), "no credentials were found.*AWS_ACCESS_KEY_ID"),
        (of_library("botocore.exceptions", "EndpointConnectionError"), "does not answer.*AWS_ENDPOINT_URL"),
        (of_library("google.auth.exceptions", "RefreshError"), r"refused \(RefreshError\)"),
        (PermissionError("AccessDenied"), r"refused \(PermissionError\)"),
    ],
)
def test_a_store_that_refuses_is_an_error_with_its_url_and_what_to_do(monkeypatch, use, error, said):
    monkeypatch.setattr(Refusing, "error", error, raising=False)
    with pytest.raises(StorageError, match=rf"^refusing:///?runs.*: .*{said}") as raised:
        use(RunFolder("refusing://runs/a"))
    assert "; " in str(raised.value)


def test_a_bucket_that_does_not_exist_is_an_error_to_a_writer_and_an_absent_file_to_a_reader(monkeypatch):
    monkeypatch.setattr(Refusing, "error", FileNotFoundError("NoSuchBucket"), raising=False)
    folder = RunFolder("refusing://runs/a")
    for write in (lambda: folder.write_json("a.json", 1), lambda: folder.write_lines("a.txt", ["a\n"])):
        with pytest.raises(StorageError, match=r"there is no such bucket or container.*; create it"):
            write()
    with pytest.raises(RunNotFound, match=r"has no a\.json"):
        folder.read_json("a.json")


def test_an_error_of_our_own_work_is_not_taken_for_the_stores(monkeypatch):
    monkeypatch.setattr(Refusing, "error", KeyError("a"), raising=False)
    with pytest.raises(KeyError):
        RunFolder("refusing://runs/a").write_json("a.json", 1)
