"""Each lock installs, and what Airflow loads of it at start can be imported: a pin alone promises neither."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from wardround.settings import PROJECT

pytestmark = pytest.mark.slow

EXECUTOR = """
from airflow.executors.executor_loader import ExecutorLoader
print("loaded", ExecutorLoader.import_default_executor_cls()[0].__name__)
"""
# What the containers of docker-compose.yaml load besides: the worker's application and command, and who may sign in.
CONTAINERS = """
import asyncpg, psycopg2, redis
import airflow.providers.celery.cli.celery_command
from airflow.providers.celery.executors.celery_executor_utils import app
from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
app.loader.import_default_modules()
"""


@pytest.mark.parametrize(
    ("lock", "executor", "program"),
    [
        ("requirements.txt", "LocalExecutor", EXECUTOR),
        ("requirements-dev.txt", "LocalExecutor", EXECUTOR),
        ("requirements-distributed.txt", "CeleryExecutor", EXECUTOR + CONTAINERS),
    ],
)
def test_a_lock_installs_and_its_executor_starts(fresh, lock: str, executor: str, program: str) -> None:
    done = fresh(lock).run("python", "-c", program, AIRFLOW__CORE__EXECUTOR=executor)
    assert done.returncode == 0, done.stderr
    assert f"loaded {executor}\n" in done.stdout


def test_the_airflow_of_the_locks_and_of_the_two_tested_environments_is_one_that_the_metadata_allows() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    [wanted] = [one for one in map(Requirement, project["dependencies"]) if one.name == "apache-airflow"]
    [locked] = re.findall(r"^apache-airflow==(\S+)", (PROJECT / "requirements.txt").read_text(), flags=re.MULTILINE)
    oldest, newest = re.search(r"^AIRFLOWS := (.+)$", (PROJECT / "Makefile").read_text(), flags=re.MULTILINE)[1].split()

    assert newest == locked
    assert wanted.specifier.contains(locked)
    assert {(one.operator, one.version) for one in wanted.specifier} >= {(">=", oldest)}
