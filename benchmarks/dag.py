"""Compares a screening as a DAG, trigger to end, under LocalExecutor and under Celery, with `wardround screen`."""

import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

import pandas as pd
from tests.stack.stack import NOW as PRESENT
from tests.stack.stack import Stack, running_stack

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


def seconds_of_a_run(api: AirflowApi, as_of: str) -> float:
    """Triggers the DAG as of this time and waits for its end; raises RuntimeError if it fails.

    It waits for the DAG to be known, and until none of its runs is under way: the schedule may have started one.
    """
    while not api.knows(DAG) or api.get(f"dags/{DAG}/dagRuns?state=running&state=queued")["dag_runs"]:
        time.sleep(_POLL_SECONDS)
    started = time.monotonic()
    run = api.trigger(DAG, {"as_of": as_of})
    while (state := api.state(DAG, run)) not in FINISHED:
        time.sleep(_POLL_SECONDS)
    if state == "failed":
        raise RuntimeError(f"{DAG}: run {run} failed")
    return time.monotonic() - started


def under_local_executor(stays: int) -> None:
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
                dag = seconds_of_a_run(airflow.api, NOW)
    table(
        f"Screening {stays:,} stays as a DAG under LocalExecutor (SQLite, parallelism 4)",
        ["what", "seconds", "ratio"],
        [
            ["wardround screen, whole process", f"{command:.1f}", "1.0"],
            ["the DAG, trigger to end", f"{dag:.1f}", f"{dag / command:.1f}"],
            ["the bound: 2 x wardround screen + 30 s", f"{2 * command + 30:.1f}", ""],
        ],
    )


def under_celery(stays: int, rounds: int) -> None:
    """Runs both by turns on docker-compose.yaml's services, started without containers."""
    with running_stack("bench", stays) as stack:
        stack.run(["wardround", "train", "sepsis", "--mimic", "/data/mimic"])
        # The first run finds workers that have run nothing yet.
        first = seconds_of_a_run(stack.api, PRESENT.isoformat())
        seconds = list(_by_turns(stack, rounds))
    ratios = [dag / command for command, dag in seconds]
    table(
        f"Screening {stays:,} stays as a DAG under Celery (docker-compose.yaml without containers, two workers)",
        ["round", "wardround screen", "the DAG", "ratio"],
        [
            ["first, after the start", "", f"{first:.1f}", ""],
            *(
                [str(number), f"{command:.1f}", f"{dag:.1f}", f"{dag / command:.1f}"]
                for number, (command, dag) in enumerate(seconds, 1)
            ),
            ["median; the bound is 2", "", "", f"{median(ratios):.1f}"],
        ],
    )


def _by_turns(stack: Stack, rounds: int) -> Iterator[tuple[float, float]]:
    """Yields the seconds of the command and of the DAG. All RiskAssessments are new: each is of another time."""
    for number in range(rounds):
        one, other = (
            (PRESENT - pd.Timedelta(minutes=minutes)).isoformat() for minutes in (2 * number + 1, 2 * number + 2)
        )
        started = time.monotonic()
        stack.run(["wardround", "screen", "sepsis", "--source", "fhir_default", "--as-of", one], "airflow-worker-1")
        command = time.monotonic() - started
        yield command, seconds_of_a_run(stack.api, other)


def main(stays: int = 1000, rounds: int = 3) -> None:
    under_local_executor(stays)
    under_celery(stays, rounds)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
