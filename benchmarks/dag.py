"""Compares a screening as a DAG under LocalExecutor, from trigger to end of the run, with `wardround screen`."""

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import table
from benchmarks.population import NOW, ward
from benchmarks.screening import screen, train
from wardround.airflow.environment import local_environment
from wardround.demo.airflow_rest import FINISHED, AirflowApi
from wardround.demo.fhir_server.running import running_server
from wardround.demo.standalone import free_port, running_standalone
from wardround.settings import settings_from

DAG = "screen_icu__sepsis"
_POLL_SECONDS = 0.2


def seconds_of_a_run(api: AirflowApi) -> float:
    """Triggers the DAG as of NOW and waits for its end; raises RuntimeError if it fails."""
    while not api.knows(DAG):
        time.sleep(_POLL_SECONDS)
    started = time.monotonic()
    run = api.trigger(DAG, {"as_of": NOW})
    while (state := api.state(DAG, run)) not in FINISHED:
        time.sleep(_POLL_SECONDS)
    if state == "failed":
        raise RuntimeError(f"{DAG}: run {run} failed")
    return time.monotonic() - started


def main(stays: int = 1000) -> None:
    """Runs both, each against its own server without any RiskAssessments."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        settings = replace(settings_from(), var=folder, runs=str(folder / "runs"), models=folder / "models")
        environment = {"WARDROUND_MODELS": str(settings.models), "WARDROUND_VAR": text}
        train(ward(stays) / "mimic", environment)
        with running_server(ward(stays) / "fhir", folder / "cli.sqlite") as server:
            command = screen(server.base_url, environment)[0].wall
        with running_server(ward(stays) / "fhir", folder / "dag.sqlite") as server:
            variables = local_environment(settings, folder / "airflow", server.base_url)
            with running_standalone(variables, free_port(), folder / "airflow.log") as airflow:
                airflow.wait_until_ready()
                dag = seconds_of_a_run(airflow.api)
    table(
        f"Screening {stays:,} stays as a DAG under LocalExecutor (SQLite, parallelism 4)",
        ["what", "seconds", "ratio"],
        [
            ["wardround screen, whole process", f"{command:.1f}", "1.0"],
            ["the DAG, trigger to end", f"{dag:.1f}", f"{dag / command:.1f}"],
            ["the bound: 2 x wardround screen + 30 s", f"{2 * command + 30:.1f}", ""],
        ],
    )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
