"""Tests that what tasks and DAG files need is imported before Airflow forks, and not where it forks no tasks."""

import ast
import json
import os
import subprocess
import sys

import pytest

from wardround.demo.fhir_server.running import running_server
from wardround.settings import PROJECT

# What takes seconds, and only tasks need.
HEAVY = ["great_expectations", "sklearn.ensemble", "wardround.workflows.screen", "xgboost"]


def imported_by(command, executor, **variables):
    """Returns all modules of a process that Airflow would start with this command, with our folder config/."""
    code = f"import sys; sys.argv = {command!r}; import airflow; print(*sys.modules)"
    path = os.pathsep.join([str(PROJECT / "config"), os.environ["PYTHONPATH"]])
    environment = {**os.environ, "PYTHONPATH": path, "AIRFLOW__CORE__EXECUTOR": executor, **variables}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.split()), done.stderr


@pytest.mark.parametrize(
    ("command", "executor", "found"),
    [
        (["/usr/bin/airflow", "celery", "worker", "--queues", "big"], "CeleryExecutor", HEAVY),
        (["airflow", "scheduler"], "LocalExecutor", HEAVY),
        (["airflow", "scheduler"], "CeleryExecutor", []),
        (["airflow", "dag-processor"], "CeleryExecutor", []),
        (["airflow", "api-server"], "LocalExecutor", []),
    ],
)
def test_only_a_process_that_forks_tasks_imports_what_they_need(command, executor, found) -> None:
    modules, said = imported_by(command, executor)

    assert [one for one in HEAVY if one in modules] == found
    # Great Expectations would say 214 times that it registers a function.
    assert "Skipping registering" not in said


def test_a_worker_imports_the_library_of_the_object_store_where_runs_lie() -> None:
    worker = (["airflow", "celery", "worker"], "CeleryExecutor")

    assert "s3fs" in imported_by(*worker, WARDROUND_RUNS="s3://bucket/runs")[0]
    # What is wrong with a setting, each task says; the worker must start.
    assert "xgboost" in imported_by(*worker, WARDROUND_BEDSIDE_KEPT="nonsense")[0]


def test_what_dag_files_import_is_preloaded() -> None:
    at_top, inside = set(), set()
    for file in (PROJECT / "dags").glob("*.py"):
        tree = ast.parse(file.read_text())
        at_top |= named(tree.body)
        inside |= named(ast.walk(tree))
    assert {"wardround.airflow.guard"} <= at_top
    assert {"wardround.airflow.screening_tasks"} <= inside

    assert at_top - imported_by(["airflow", "dag-processor"], "CeleryExecutor")[0] == set()
    assert inside - imported_by(["airflow", "celery", "worker"], "CeleryExecutor")[0] == set()


def named(nodes):
    """Returns the modules of Wardround that statements import from."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("wardround"):
            inner = (f"{node.module}.{alias.name}" for alias in node.names)
            found |= {one for one in inner if is_module(one)} or {node.module}
    return found


def is_module(name):
    place = PROJECT / "src" / name.replace(".", "/")
    return place.is_dir() or place.with_suffix(".py").is_file()


def test_what_is_forked_after_preloading_trains_and_screens_without_importing_anything(
    simulated_ward, tmp_path
) -> None:
    with running_server(simulated_ward.fhir, tmp_path / "fhir.sqlite") as server:
        arguments = [simulated_ward.mimic, server.base_url, simulated_ward.now.isoformat(), tmp_path]
        program = [sys.executable, "-m", "tests.airflow.forked_work", *map(str, arguments)]
        environment = {**os.environ, "WARDROUND_DATABASE": f"sqlite:///{tmp_path}/wardround.sqlite"}
        done = subprocess.run(program, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"status": 0, "imported": []}
