"""Runs the DAG that removes old runs in one process."""

import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.fixtures.icu import AS_OF

from wardround.adapters.files.run_folder import RunFolder
from wardround.airflow.environment import local_environment
from wardround.airflow.retention_tasks import prune_runs
from wardround.airflow.schedules import pruning_schedule
from wardround.demo.in_process import run_dag
from wardround.settings import PROJECT, Settings
from wardround.workflows.run_list import run_names

pytestmark = [
    pytest.mark.usefixtures("airflow_database"),
    # Airflow's in-process API imports starlette's test client, which warns because it prefers another HTTP library.
    pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient` is deprecated"),
]
OLD, LATEST = "sepsis-20260101T050000Z-0a1b2c", "sepsis-20260102T050000Z-0a1b2c"


@pytest.fixture
def two_runs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An old run and a later one, both of which ended; the environment names their installation."""
    for run in (OLD, LATEST):
        folder = RunFolder.of(settings.runs, run)
        request = {"condition": "sepsis", "source_url": "http://127.0.0.1:1/fhir", "as_of": "2026-01-02T05:00:00Z"}
        folder.write_json("request.json", {**request, "run": run, "mode": "live", "model_version": "1"})
        folder.write_json("summary.json", {"found": 1, "complete": True})
    then = time.time() - 2 * 86_400
    for path in Path(settings.runs).rglob("*"):
        os.utime(path, (then, then))
    for name, value in local_environment(settings, settings.var / "airflow", "http://127.0.0.1:9/fhir").items():
        if name.startswith(("WARDROUND_", "AIRFLOW_CONN_")):
            monkeypatch.setenv(name, value)
    return settings


def test_old_runs_are_removed_if_the_setting_says_so(two_runs: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARDROUND_RUNS_KEPT", "30d")
    assert run_dag("prune_runs", PROJECT / "dags", AS_OF, {}).state == "success"
    assert [str(name) for name in run_names(two_runs)] == [LATEST]


def test_nothing_is_removed_without_the_setting(two_runs: Settings) -> None:
    assert prune_runs() == {"removed": 0}
    assert [str(name) for name in run_names(two_runs)] == [LATEST, OLD]


def test_without_the_setting_it_has_no_schedule(settings: Settings) -> None:
    assert pruning_schedule(settings) is None
    assert pruning_schedule(replace(settings, runs_kept=timedelta(days=365))) is not None
