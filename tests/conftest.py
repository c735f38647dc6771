"""What holds for every test; the fixtures lie in tests/fixtures, one file a subject."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from wardround.airflow.environment import local_environment
from wardround.fhir.auth import SIGN_INS
from wardround.settings import database_in, settings_from

# What others import comes before them: pytest rewrites the assertions of a module only before it is imported.
pytest_plugins = [
    "tests.fixtures.icu",
    "tests.fixtures.cards",
    "tests.fixtures.certificates",
    "tests.fixtures.inputs",
    "tests.fixtures.installation",
    "tests.fixtures.keys",
    "tests.fixtures.postgresql",
    "tests.fixtures.simulated_ward",
    "tests.fixtures.small_mimic",
]

# Airflow reads its settings when it is first imported, which any test module may do.
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="wardround-tests-airflow-"))
os.environ.update(local_environment(settings_from(), AIRFLOW_HOME, "http://127.0.0.1:9/fhir"))
# A changed DAG is stored at once. Airflow waits 30 s otherwise, and what tests see depends on how fast others were.
os.environ["AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL"] = "0"
# What no test names itself must not lie in the project.
os.environ["WARDROUND_DATABASE"] = database_in(AIRFLOW_HOME)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files that train models first: whole files go to workers, and with one that takes a minute at the end
    the other worker has nothing left to do."""
    items.sort(key=lambda item: "/train/" not in item.nodeid)


@pytest.fixture(scope="session", autouse=True)
def _airflow_home() -> Iterator[None]:
    yield
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def _no_tokens() -> None:
    """What a process keeps for its next client is no matter of the next test, whose server may have the same port."""
    SIGN_INS.forget()


@pytest.fixture(autouse=True)
def _log_as_found() -> Iterator[None]:
    """Takes away what a command under test did to Wardround's log, which is the process's: its handler and level."""
    log = logging.getLogger("wardround")
    handlers, level = list(log.handlers), log.level
    yield
    log.handlers[:] = handlers
    log.setLevel(level)


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's own database, migrated, with the pools that the DAGs name."""
    from wardround.demo.in_process import migrate

    migrate()
