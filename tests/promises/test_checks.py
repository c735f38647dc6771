"""Runs `make check` as a test: style, types and layers, each as the Makefile calls it."""

import subprocess
import sys
from pathlib import Path

import pytest

from wardround.settings import PROJECT

BIN = Path(sys.executable).parent


@pytest.mark.parametrize("command", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"], ["lint-imports"]])
def test_the_project_passes_its_own_check(command):
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=PROJECT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_make_check_calls_the_same():
    recipe = (PROJECT / "Makefile").read_text().partition("check: install")[2].partition("\n\n")[0]

    assert [line.split("/")[-1] for line in recipe.splitlines()[1:]] == [
        "ruff check",
        "ruff format --check",
        "mypy",
        "lint-imports",
        "mkdocs build",  # tests/promises/test_site.py
    ]
