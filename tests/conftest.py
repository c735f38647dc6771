"""Fixtures that every room of the tests may use."""

import os
from pathlib import Path

import pytest

from wardround.settings import PROJECT

SHARED = Path(os.environ.get("WARDROUND_SHARED", PROJECT.parent / "shared"))


@pytest.fixture(scope="session")
def mimic_demo() -> Path:
    """The MIMIC-IV demo's folder of CSVs; skips where it is not beside the project."""
    folder = SHARED / "data" / "mimic-iv-demo-2.2"
    if not folder.is_dir():
        pytest.skip(f"the MIMIC-IV demo is not at {folder}")
    return folder


@pytest.fixture(scope="session")
def schemas() -> Path:
    """The project's own spec files."""
    return PROJECT / "include" / "schemas"
