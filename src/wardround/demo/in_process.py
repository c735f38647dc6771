"""Runs a DAG from start to end in this process, without a scheduler, for the demo and for tests.

Airflow reads its settings when it is imported, so that `environment.local_environment` must be set before.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

OnTask = Callable[[str, str], None]  # DAG id, task id


class DagRunEnd(NamedTuple):
    """How a DAG run ended: its state, its id in Airflow, and the tasks that failed (`extract[3]` for a mapped one)."""

    state: str
    run_id: str
    failed_tasks: tuple[str, ...]


def migrate() -> None:
    """Creates or migrates Airflow's own database, and creates the pools that the DAGs need."""
    from airflow.utils.db import initdb

    from wardround.airflow.pools import create_missing_pools

    initdb()
    create_missing_pools()


def run_dag(dag_id: str, dags: Path, logical_date: datetime, conf: Mapping[str, Any]) -> DagRunEnd:
    """Runs one DAG of the folder; `conf` overrides its Params. A second run for a logical date replaces the first."""
    from airflow.dag_processing.dagbag import DagBag

    dag = DagBag(dags).dags[dag_id]
    dag.deadline = None  # no scheduler looks at it here, and Airflow's `test` cannot end a run that has one
    with warnings.catch_warnings():
        # To replace a run, Airflow looks for *the* stored DAG of its id, and finds one for each version of the DAG that
        # has run. Which one it then takes does not matter, as only the run is deleted.
        warnings.filterwarnings("ignore", "Multiple rows returned .* 'DagRun.serialized_dag'")
        dag_run = dag.test(run_after=logical_date, logical_date=logical_date, run_conf=dict(conf))
    failed = sorted(
        task.task_id if task.map_index < 0 else f"{task.task_id}[{task.map_index}]"
        for task in dag_run.get_task_instances()
        if task.state == "failed"
    )
    return DagRunEnd(str(dag_run.state), dag_run.run_id, tuple(failed))


@contextmanager
def watched(on_task: OnTask) -> Iterator[None]:
    """Calls `on_task` whenever a task starts in this process."""
    from airflow.listeners import hookimpl
    from airflow.sdk.listener import get_listener_manager

    class Watcher:
        @hookimpl  # type: ignore[untyped-decorator]  # mypy does not follow airflow
        def on_task_instance_running(self, task_instance: Any) -> None:
            on_task(task_instance.dag_id, task_instance.task_id)

    watcher = Watcher()
    get_listener_manager().add_listener(watcher)
    try:
        yield
    finally:
        get_listener_manager().pm.unregister(watcher)
