"""Removes run folders that are older than the setting `WARDROUND_RUNS_KEPT` says, every night. Without the setting it
has no schedule, and removes nothing.

A run stays if it is the latest of its condition and source, if something was written to it in the last 24 hours, or if
something is left to do: it did not end, not all of its results are written, it is missing from the history, or nobody
has decided about its model. The log names these. `wardround runs prune --unfinished` removes them, too.
What a run wrote to a FHIR server stays there. `wardround history removed` lists what was removed.

**When it is red**

* `prune_runs`: a folder cannot be removed, or the database is full or locked. What was removed half is no run any more.
  Clear the task: it does the rest.

Decision support only: adjunct, never the sole factor.
"""

from airflow.sdk import DAG

from wardround.airflow.defaults import task_defaults
from wardround.airflow.guard import task
from wardround.airflow.schedules import pruning_schedule
from wardround.airflow.tags import Tag
from wardround.settings import settings_from


def pruning() -> None:
    """Adds the only task of the DAG."""

    @task
    def prune_runs() -> dict[str, int]:
        from wardround.airflow import retention_tasks

        return retention_tasks.prune_runs()

    prune_runs()


with DAG(
    dag_id="prune_runs",
    dag_display_name="Remove old runs",
    description="Removes run folders that are older than WARDROUND_RUNS_KEPT.",
    doc_md=__doc__,
    schedule=pruning_schedule(settings_from()),
    catchup=False,
    max_active_runs=1,
    default_args=task_defaults(settings_from().screening_task),
    tags=[Tag.RETENTION],
):
    pruning()
