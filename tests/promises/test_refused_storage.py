"""Tests that wherever the program writes, a refused write ends as a StorageError with the path and what to do."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from wardround.cli.main import wardround
from wardround.errors import StorageError
from wardround.settings import PROJECT

AS_OF = "2026-01-02T05:00:00Z"


@pytest.fixture
def taken(tmp_path: Path) -> Path:
    """A file where a folder is expected, so that even root cannot create one."""
    path = tmp_path / "taken"
    path.write_text("a file")
    return path


@pytest.fixture
def environment(monkeypatch, tmp_path: Path, small_home: Path, lactate_models: Path) -> None:
    places = {"HOME": small_home, "VAR": tmp_path / "var", "RUNS": tmp_path / "runs", "MODELS": lactate_models}
    for name, place in places.items():
        monkeypatch.setenv(f"WARDROUND_{name}", str(place))


def _refused(arguments: list[str]) -> str:
    result = CliRunner().invoke(wardround, arguments)
    assert isinstance(result.exception, StorageError), (result.exception, result.output)
    return str(result.exception)


@pytest.mark.parametrize(
    ("place", "arguments"),
    [
        ("MODELS", ["model", "suspend", "sepsis", "--by", "ann", "--why", "x"]),
        ("MODELS", ["model", "resume", "sepsis", "--by", "ann", "--why", "x"]),
        ("RUNS", ["train", "sepsis", "--mimic", "{mimic}"]),
        ("RUNS", ["screen", "sepsis", "--source", "http://127.0.0.1:9/fhir", "--as-of", AS_OF]),
    ],
)
def test_a_store_that_cannot_be_made_is_named(environment, monkeypatch, taken, small_mimic, place, arguments) -> None:
    monkeypatch.setenv(f"WARDROUND_{place}", str(taken / "inside"))
    said = _refused([each.format(mimic=small_mimic) for each in arguments])
    assert said.startswith(f"{taken / 'inside'}")
    assert "there is a file where a folder is expected, expected to read and write there; choose another place" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["simulate", "--stays", "2", "--seed", "1", "--now", AS_OF, "--out", "{taken}/out"],
        ["mimic2fhir", "--mimic", "{mimic}", "--out", "{taken}/out"],
        ["fhir-server", "--port", "0", "--db", "{taken}/fhir.sqlite"],
    ],
)
def test_a_folder_that_cannot_be_made_is_named(environment, taken, small_mimic, arguments) -> None:
    said = _refused([each.format(mimic=small_mimic, taken=taken) for each in arguments])
    assert said.startswith(f"{taken}/")


@pytest.mark.parametrize(
    "arguments",
    [
        ["features", "sepsis", "--mimic", "{mimic}", "--out", "/dev/full"],
        ["labels", "sepsis", "--mimic", "{mimic}", "--out", "/dev/full"],
        ["model", "show", "sepsis", "--html", "/dev/full"],
    ],
)
def test_a_full_disk_is_named_with_the_file(environment, small_mimic, arguments) -> None:
    said = _refused([each.format(mimic=small_mimic) for each in arguments])
    assert (
        said == "/dev/full: the disk is full, expected to read and write there;"
        " free some space or choose another place, then try again"
    )


_LIMITED = """
import resource, sys
from wardround.cli.main import run
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
sys.argv = ["wardround", *sys.argv[1:]]
run()
"""
SIMULATE = ["simulate", "--stays", "20", "--seed", "1", "--now", AS_OF, "--out"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["features", "sepsis", "--mimic", "{mimic}", "--out", "{out}"], "DuckDB's temporary files cannot be written"),
        ([*SIMULATE, "{out}"], "{out}/mimic/hosp/"),
    ],
)
def test_files_that_may_not_grow_end_a_command_with_the_exit_code_of_storage_and_nothing_half(
    environment, tmp_path, small_mimic, arguments, said
) -> None:
    out = tmp_path / "out" / "x"
    out.parent.mkdir()
    command = [sys.executable, "-c", _LIMITED, *(each.format(mimic=small_mimic, out=out) for each in arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == StorageError.exit_code
    assert said.format(out=out) in ended.stderr.splitlines()[-1]
    assert [path for path in out.parent.rglob("*") if path.is_file()] == []


# Who opens files for writing itself: the one way to do so, locks, and what is no file of ours to keep.
OWN_WAYS = {
    "adapters/files/file_lock.py": "locks",
    "adapters/files/whole_file.py": "the one way",
    "adapters/files/scratch.py": "temporary, and locks",
    "adapters/files/private_file.py": "whole, and never in place of one that is there",
    "adapters/files/turns.py": "locks",
    "adapters/models/files.py": "a folder that appears as a whole",
    "cds/http/metrics.py": "temporary, while the service runs",
    "demo/demo.py": "a log, as it is written",
    "demo/standalone.py": "a log, as it is written",
    "demo/fhir_server/certificates.py": "temporary, of a throw-away server",
    "demo/fhir_server/exports.py": "temporary, of a throw-away server",
    "demo/fhir_server/running.py": "temporary, of a throw-away server",
    "spec/schema.py": "run by developers",
}
WRITES = re.compile(r"(?<!folder)\.write_(?:text|bytes)\(|\bopen\((?:[^()]*, ?)?[\"'][waxb+]*[wax]")


def test_every_file_is_written_in_the_one_way_or_known_to_need_none() -> None:
    source = PROJECT / "src" / "wardround"
    found = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        if any(WRITES.search(line) and "self.write_" not in line for line in path.read_text("utf-8").splitlines())
    }
    # fsspec's own, in Folder: object storage.
    assert found - {"adapters/files/folder.py"} == set(OWN_WAYS)
