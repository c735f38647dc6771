"""The source distribution, where the project is not."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from tests.packaging.conftest import UNREACHABLE

from wardround.settings import PROJECT

# Of what git tracks, what only the project's own home needs.
AT_HOME = {".ci/run", ".ci/skips", ".gitignore"}


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    [root] = folder.iterdir()
    return root


@pytest.mark.slow
def test_it_holds_all_that_the_project_tracks_and_nothing_else(unpacked: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("git does not track this folder")
    tracked = {name for name in listed.stdout.split("\0") if name and (PROJECT / name).exists()}

    held = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}

    made = {name for name in held if name in ("PKG-INFO", "setup.cfg") or name.startswith("src/wardround.egg-info/")}
    assert tracked - held == AT_HOME
    assert held - made - tracked == set()


@pytest.mark.long
def test_the_demo_runs_from_it(unpacked: Path) -> None:
    ours = ("WARDROUND_", "AIRFLOW", "PYTHONPATH", "PYTEST_", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    command = ["make", "demo", f"PYTHON={sys.executable}"]

    done = subprocess.run(command, cwd=unpacked, env=environment, capture_output=True, text=True, check=False)

    said = done.stdout + done.stderr
    if any(mark in said for mark in UNREACHABLE):
        pytest.skip("the package registry is not reachable, and not all packages lie in uv's cache")
    assert done.returncode == 0, said
    assert list((unpacked / "var").rglob("report.html"))
