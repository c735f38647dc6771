"""Environments that hold what a lock names and nothing else, made with uv; skipped where no registry is reachable."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from wardround.settings import PROJECT

UV = Path(sys.executable).parent / "uv"
# Of what begins with a dot, what the source distribution carries.
CARRIED = (".dockerignore", ".env.example")
# What uv says when it could not ask, as opposed to what it was told.
UNREACHABLE = ("Failed to fetch", "error sending request", "Could not connect", "network was disabled")


class Installed(NamedTuple):
    """An environment, and an empty folder to work in, where nothing of the project is."""

    python: Path
    folder: Path

    def run(self, *words: object, **variables: object) -> "subprocess.CompletedProcess[str]":
        """Runs a program of the environment with none of the variables that these tests were started with."""
        program, *rest = (str(word) for word in words)
        bare = {"PATH": os.defpath, "HOME": str(self.folder), "AIRFLOW_HOME": str(self.folder / "airflow")}
        return subprocess.run(
            [self.python.parent / program, *rest],
            cwd=self.folder,
            env={**bare, **{name: str(value) for name, value in variables.items()}},
            capture_output=True,
            text=True,
            check=False,
        )


def uv(*words: object) -> None:
    done = subprocess.run([UV, *(str(word) for word in words)], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    if any(mark in done.stderr for mark in UNREACHABLE):
        pytest.skip("the package registry is not reachable, and not all packages lie in uv's cache")
    pytest.fail(f"uv {words[0]} failed:\n{done.stderr}")


@pytest.fixture(scope="module")
def fresh() -> Iterator[Callable[[str], Installed]]:
    """Makes an environment of what a lock names; gone when the module's tests are done, for it is large."""
    with ExitStack() as stack:

        def make(lock: str) -> Installed:
            root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wardround-tests-lock-")))
            python, folder = root / "environment" / "bin" / "python", root / "elsewhere"
            folder.mkdir()
            uv("venv", "--quiet", "--python", sys.executable, root / "environment")
            uv("pip", "install", "--quiet", "--python", python, "--requirement", PROJECT / lock)
            return Installed(python, folder)

        yield make


@pytest.fixture(scope="package")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and the wheel built of it; of a copy, for a build leaves folders behind."""
    copy, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    shutil.copytree(PROJECT, copy, ignore=_unwanted, dirs_exist_ok=True)
    uv("build", "--quiet", "--out-dir", out, copy)
    return out


def _unwanted(folder: str, names: list[str]) -> set[str]:
    generated = {name for name in names if name == "__pycache__" or name.endswith(".egg-info")}
    if Path(folder) != PROJECT:
        return generated
    return generated | {name for name in names if name == "var" or (name.startswith(".") and name not in CARRIED)}


@pytest.fixture(scope="package")
def wheel(distributions: Path) -> Path:
    return next(distributions.glob("*.whl"))


@pytest.fixture(scope="package")
def sdist(distributions: Path) -> Path:
    return next(distributions.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def installed(fresh, wheel: Path) -> Installed:
    made: Installed = fresh("requirements.txt")
    uv("pip", "install", "--quiet", "--python", made.python, "--no-deps", wheel)
    return made
