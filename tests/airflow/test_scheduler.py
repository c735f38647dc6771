"""One training and one screening under Airflow's own scheduler, started and watched through its REST API."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest

from wardround.adapters.fhir_client import FhirClient, FhirSource
from wardround.adapters.run_folder import RunFolder
from wardround.airflow.environment import local_environment
from wardround.airflow.rest import FINISHED
from wardround.airflow.standalone import free_port, running_standalone
from wardround.services.fhir_server.running import running_server
from wardround.settings import settings_from

pytestmark = pytest.mark.slow

POLL_SECONDS = 0.5


def wait_until(condition, airflow):
    while not condition():
        airflow.check()
        time.sleep(POLL_SECONDS)


def run_to_its_end(airflow, dag_id, conf):
    api = airflow.api
    wait_until(lambda: api.knows(dag_id), airflow)
    run_id = api.trigger(dag_id, conf)
    wait_until(lambda: api.state(dag_id, run_id) in FINISHED, airflow)
    return run_id


def failures(airflow, dag_id, run_id):
    instances = airflow.api.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
    return [(task["task_id"], task["map_index"], task["state"]) for task in instances if task["state"] != "success"]


def test_the_scheduler_trains_and_screens(simulated_ward, tmp_path):
    settings = replace(settings_from(), var=tmp_path, runs=str(tmp_path / "runs"), models=tmp_path / "models")
    log = tmp_path / "airflow.log"
    with running_server(data=simulated_ward.fhir) as server:
        variables = local_environment(settings, tmp_path / "airflow", server.base_url)
        with running_standalone(variables, free_port(), log) as airflow:
            airflow.wait_until_ready()
            assert airflow.api.get("importErrors")["total_entries"] == 0

            trained = run_to_its_end(airflow, "train__sepsis", {"mimic": str(simulated_ward.mimic)})
            screened = run_to_its_end(airflow, "screen_icu__sepsis", {"as_of": simulated_ward.now.isoformat()})

            assert failures(airflow, "train__sepsis", trained) == []
            assert failures(airflow, "screen_icu__sepsis", screened) == []
            run = airflow.api.get(
                f"dags/screen_icu__sepsis/dagRuns/{screened}/taskInstances/find_stays/xcomEntries/run"
            )["value"]
        summary = RunFolder.existing(settings.runs, run).read_json("summary.json")
        with FhirClient(FhirSource(server.base_url)) as client:
            held = list(client.search("RiskAssessment", {}))

    assert 0 < summary["scored"] == summary["written"] == len(held)
    assert left_over(tmp_path) == []


def test_stopping_wardround_up_leaves_no_process_behind(tmp_path):
    environment = {**os.environ, "WARDROUND_VAR": str(tmp_path)}
    for name in ("MIMIC_CSV_PATH", "WARDROUND_RUNS", "WARDROUND_MODELS"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "wardround", "up", "--stays", "20", "--port", str(free_port())]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as up:
        try:
            said = up.stdout.readline()
        finally:
            up.send_signal(signal.SIGTERM)
            up.communicate()

    assert said.startswith("Airflow "), said
    assert up.returncode == 0
    assert left_over(tmp_path) == []


def left_over(folder):
    """Processes whose Airflow, or whose data, lie in the folder."""
    return [process.info["cmdline"] for process in psutil.process_iter(["cmdline"]) if belongs(process, str(folder))]


def belongs(process, folder):
    try:
        words = [*process.cmdline(), process.environ().get("AIRFLOW_HOME", "")]
    except psutil.Error:
        return False
    return process.pid != os.getpid() and any(folder in word for word in words)
