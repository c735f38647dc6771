"""Looks after the stream door every hour. It compares who lies in the watched units by the messages with who does by
the FHIR server: stays that no message announced are counted and screened. It removes the bodies of messages that ended
long ago. It reports what waits, and how late the last hour's scores were, and writes the
hour's figures to the history. Without settings of the stream
(`WARDROUND_STREAM`) it has no schedule.

**When it is red**

* `find_sources`: the settings of the stream cannot be read. The message names the file, the key and the remedy.
* `reconcile`: the source's FHIR server did not answer, or a screening of stays that no message announced failed; the
  message says which. The other sources are not affected. Clear it: the same hour gives the same run.
* many `unannounced` in the log of `reconcile`, hour after hour: messages are lost before they arrive, or the units of
  the source's settings are not those of its server. Compare both with `wardround stream check`.
* `prune`: the database is full or locked. Nothing is lost. Clear it later.
* `drain_report`: a stage works off a backlog, or has stopped. `wardround stream status` says which and why; its /ready
  page says what it waits for. The task is green again once the oldest message that is due is younger than half an hour.
* `keep_series`: the database is full or locked. Clear it: the hour is counted again and takes its own place.

Decision support only: adjunct, never the sole factor.
"""

from typing import Any

from airflow.sdk import DAG

from wardround.airflow.defaults import task_defaults
from wardround.airflow.guard import task
from wardround.airflow.pools import FHIR_POOL
from wardround.airflow.schedules import upkeep_schedule
from wardround.airflow.tags import Tag
from wardround.settings import settings_from


def upkeep() -> None:
    """Adds the tasks; each calls the function of the same name."""

    @task
    def find_sources() -> list[str]:
        from wardround.airflow import stream_tasks

        return stream_tasks.find_sources()

    @task(pool=FHIR_POOL, map_index_template="{{ task.op_kwargs['source'] }}")
    def reconcile(source: str, dag_run: Any = None) -> dict[str, Any]:
        from wardround.airflow import stream_tasks

        return stream_tasks.reconcile(source, dag_run)

    @task
    def prune() -> dict[str, int]:
        from wardround.airflow import stream_tasks

        return stream_tasks.prune()

    @task
    def drain_report() -> dict[str, Any]:
        from wardround.airflow import stream_tasks

        return stream_tasks.drain_report()

    @task
    def keep_series(dag_run: Any = None) -> str:
        from wardround.airflow import stream_tasks

        return stream_tasks.keep_series(dag_run)

    reconcile.expand(source=find_sources())
    prune()
    drain_report()
    keep_series()


with DAG(
    dag_id="stream_upkeep",
    dag_display_name="Stream: upkeep",
    description="Compares the stream with the record, screens who was not announced, removes what is old, reports.",
    doc_md=__doc__,
    schedule=upkeep_schedule(settings_from()),
    catchup=False,
    max_active_runs=1,
    default_args=task_defaults(settings_from().screening_task),
    tags=[Tag.STREAM, Tag.WRITES_TO_FHIR],
):
    upkeep()
