"""Tests that a run's files are complete or absent, and that their names contain no patient."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from wardround.adapters.files.run_folder import RunFolder, run_id
from wardround.errors import RunNotFound, StorageError

AS_OF = pd.Timestamp("2026-01-02T06:00+01:00")
RUN = "sepsis-20260102T050000Z-0a1b2c"


def test_a_run_is_named_after_condition_and_as_of_in_utc() -> None:
    assert run_id("sepsis", AS_OF, key="manual__1").startswith("sepsis-20260102T050000Z-")
    assert run_id("sepsis", AS_OF, key="manual__1") == run_id("sepsis", AS_OF, key="manual__1")
    assert run_id("sepsis", AS_OF) != run_id("sepsis", AS_OF)


@pytest.mark.parametrize("url", ["{tmp}/runs", "file://{tmp}/runs", "memory://runs"])
def test_what_is_written_is_read_back_from_any_storage(url: str, tmp_path: Path) -> None:
    folder = RunFolder(f"{url.format(tmp=tmp_path)}/{RUN}/")
    frame = pd.DataFrame({"stay_id": ["a"], "as_of": [AS_OF], "basis": [["Observation/1"]]})
    folder.write_frame("chunk-0001/scores.parquet", frame)
    folder.write_json("request.json", {"condition": "sepsis"})
    folder.write_text("report.html", "ä")
    assert folder.read_frame("chunk-0001/scores.parquet")["stay_id"].tolist() == ["a"]
    assert folder.read_json("request.json") == {"condition": "sepsis"}
    assert folder.read_text("report.html") == "ä"
    assert folder.list() == ["chunk-0001/scores.parquet", "report.html", "request.json"]
    assert folder.list("chunk-0001") == ["chunk-0001/scores.parquet"]
    assert folder.exists("request.json")
    assert not folder.exists("summary.json")


def test_writing_again_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    folder = RunFolder(str(tmp_path))
    for number in range(3):
        folder.write_json("a.json", number)
    assert folder.read_json("a.json") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_what_was_determined_once_is_not_determined_again(tmp_path: Path) -> None:
    folder, asked = RunFolder(str(tmp_path)), list[str]()

    def ask() -> dict[str, str]:
        asked.append("asked")
        return {"profile": "hapi"}

    with pytest.raises(ZeroDivisionError):
        folder.json_once("profile.json", lambda: 1 // 0)
    assert [folder.json_once("profile.json", ask) for _ in range(2)] == [{"profile": "hapi"}] * 2
    assert asked == ["asked"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    folder = RunFolder(str(tmp_path))
    folder.write_json("a.json", 1)
    with pytest.raises(TypeError):
        folder.write_json("a.json", object())
    assert folder.read_json("a.json") == 1


@pytest.mark.parametrize("run", ["../../etc", "sepsis", "sepsis-20260102T050000Z-0A1B2C", ""])
def test_what_is_no_run_id_is_refused(run: str, tmp_path: Path) -> None:
    with pytest.raises(RunNotFound, match="not the name of a run"):
        RunFolder.existing(str(tmp_path), run)


def test_a_run_or_a_file_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(RunNotFound, match=RUN):
        RunFolder.existing(str(tmp_path), RUN)
    with pytest.raises(RunNotFound, match=r"ledger\.parquet"):
        RunFolder(str(tmp_path)).read_frame("ledger.parquet")


def test_a_place_that_refuses_is_an_error_with_the_path_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    folder = RunFolder(str(tmp_path / "runs" / RUN))
    for use in (lambda: folder.write_json("a.json", 1), lambda: folder.read_json("a.json")):
        with pytest.raises(
            StorageError, match=r"a\.json: there is a file where a folder is expected.*;" r" choose another"
        ):
            use()


class Full(MemoryFileSystem):
    """An object store that accepts no more writes, and reports that without an error number, as such stores do."""

    protocol = "full"

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if mode == "wb":
            raise PermissionError("AccessDenied")
        return super()._open(path, mode, **options)


def test_an_object_store_that_refuses_is_an_error_with_the_url_and_leaves_what_was_there() -> None:
    fsspec.register_implementation("full", Full, clobber=True)
    folder = RunFolder(f"full://runs/{RUN}")
    with pytest.raises(StorageError, match=rf"^full:///?runs/{RUN}/a\.json: refused \(PermissionError\)"):
        folder.write_json("a.json", 1)
    with pytest.raises(RunNotFound, match=r"has no a\.json"):
        folder.read_json("a.json")


def test_what_a_killed_writer_left_anywhere_in_a_run_is_removed_and_what_is_written_now_stays(tmp_path: Path) -> None:
    folder = RunFolder(str(tmp_path))
    (tmp_path / "chunk-0001").mkdir()
    (tmp_path / "chunk-0001" / ".events.parquet.part-0a1b2c3d").write_bytes(b"half")
    with folder.writing("features.parquet") as file:
        file.write(b"half")
        folder.remove_leftovers()
        file.write(b" and half")
    assert folder.read_bytes("features.parquet") == b"half and half"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["chunk-0001", "features.parquet"]


@pytest.mark.parametrize("url", ["{tmp}", "memory://half-way"])
def test_lines_that_fail_half_way_leave_no_file(url: str, tmp_path: Path) -> None:
    folder = RunFolder(url.format(tmp=tmp_path))

    def lines() -> Iterator[str]:
        yield "one\n"
        raise KeyError

    with pytest.raises(KeyError):
        folder.write_lines("table.csv", lines())
    assert folder.list() == []
    folder.write_lines("table.csv", ["one\n", "zwölf\n"])
    assert folder.read_text("table.csv") == "one\nzwölf\n"
