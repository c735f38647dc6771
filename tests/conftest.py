"""Fixtures that every room of the tests may use."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from wardround.airflow.environment import local_environment
from wardround.settings import PROJECT, settings_from

# Airflow reads its settings when it is first imported, which any test module may do.
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="wardround-tests-airflow-"))
os.environ.update(local_environment(settings_from(), AIRFLOW_HOME, "http://127.0.0.1:9/fhir"))
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


@pytest.fixture(scope="session", autouse=True)
def _airflow_home() -> Iterator[None]:
    yield
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's own database, migrated, with the pools that the DAGs name."""
    from airflow.utils.db import initdb

    from wardround.airflow.pools import create_missing_pools

    initdb()
    create_missing_pools()
