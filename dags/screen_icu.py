"""Finds every ICU stay at the run's time, scores the risk of one condition for each, and writes the scores to the FHIR
server as RiskAssessments. One DAG per condition file: `screen_icu__<condition>`. If the file names several `sources`,
each source after the first has its own DAG: `screen_icu__<condition>__<source>`. When another model goes live, the DAG
also runs once in shadow mode: it scores and reports, but writes nothing.

**When it is red**

* `find_stays`: the server did not answer in time, refused the request, or does not accept results; or no model is
  live. Nothing was written. Press the connection's Test button, check `wardround model list`, then clear the task.
* *suspended by* in the message of any task: somebody has switched the condition off. `wardround model list` says why.
  Nothing is computed for people until `suspend__<condition>` or `wardround model resume` switches it on again.
* *is not the one* in the message of any task: its worker does not share runs or models with the others. Do as it says.
* a chunk of `extract`, `score` or `publish`: the other chunks are not affected; the stays of this one are *failed* in
  the ledger. The log names the rule and the resource. Clear the chunk to retry it: nothing is ever written twice.
* `check_quality`: too many feature rows failed the checks, so nothing was written. The validation part of the report
  says which check. A changed unit or a stopped feed is more likely than a sick ward. Fix it, then clear `find_stays`.
* `reconcile`: what is on the server does not match the ledger. Clear it; if it stays red, find out what else writes
  RiskAssessments there.
* only `report`: the report was written. Either the run is incomplete, and the report says which stays failed and why.
  Or far fewer stays were found than expected; those found were screened. Compare the connection's ICU classes and
  Locations with `wardround check-source`; if the ward really is that empty, run again with *Accept the census*.

Running it again for the same time changes nothing on the server. Decision support only: adjunct, never the sole factor.
"""

from typing import Any

from airflow.sdk import DAG, TriggerRule, task_group

from wardround.airflow.assets import frames, live_model, record, results
from wardround.airflow.conditions import valid_conditions
from wardround.airflow.defaults import task_defaults, time_to_find
from wardround.airflow.forms import screening_form
from wardround.airflow.guard import task
from wardround.airflow.schedules import screening_schedule, screening_times
from wardround.airflow.sharing import task_after
from wardround.airflow.sources import screening_dags
from wardround.airflow.tags import Tag
from wardround.settings import settings_from
from wardround.spec.conditions import Condition

CHUNK = "chunk {{ task.op_kwargs['chunk'] }}"
# The tasks after mapped tasks run once all chunks have ended, even if some failed, provided that the stays were found.
ALL_ENDED = TriggerRule.ALL_DONE_MIN_ONE_SUCCESS


def screen_icu(condition: Condition, source: str) -> None:
    """Adds the tasks for one condition and source; each calls the function of the same name in workflows.screen."""
    read, kept, written = record(source), frames(condition.id, source), results(condition.id, source)
    longest = time_to_find(condition, settings_from().screening_task)

    @task(pool=source, execution_timeout=longest, inlets=[read], outlets=[kept])
    def find_stays(params: Any = None, dag_run: Any = None, ti: Any = None) -> list[int]:
        from wardround.airflow import screening_tasks

        return screening_tasks.find_stays(condition.id, params, dag_run, ti)

    @task_after("find_stays", pool=source, map_index_template=CHUNK, inlets=[read])
    def extract(run: str, chunk: int, params: Any = None, dag_run: Any = None) -> None:
        from wardround.airflow import screening_tasks

        screening_tasks.extract(run, chunk, params, dag_run)

    @task_after("find_stays", trigger_rule=ALL_ENDED, inlets=[kept])
    def check_quality(run: str) -> None:
        from wardround.workflows import screen

        screen.check_quality(run, settings_from())

    @task_after("find_stays", map_index_template=CHUNK, inlets=[live_model(condition.id), kept])
    def score(run: str, chunk: int) -> None:
        from wardround.airflow import screening_tasks

        screening_tasks.score(run, chunk)

    @task_after("find_stays", pool=source, map_index_template=CHUNK, inlets=[kept])
    def publish(run: str, chunk: int, params: Any = None, dag_run: Any = None) -> None:
        from wardround.airflow import screening_tasks

        screening_tasks.publish(run, chunk, params, dag_run)

    @task_after("find_stays", pool=source, trigger_rule=ALL_ENDED, inlets=[kept], outlets=[written])
    def reconcile(run: str, params: Any = None, dag_run: Any = None, outlet_events: Any = None) -> None:
        from wardround.airflow import screening_tasks

        outlet_events[written].extra = screening_tasks.reconcile(run, params, dag_run)

    @task_after("find_stays", trigger_rule=ALL_ENDED, inlets=[kept, written])
    def report(run: str, ti: Any = None) -> None:
        from wardround.airflow import screening_tasks

        ti.xcom_push("report", screening_tasks.report(run))
        ti.xcom_push("counts", screening_tasks.counts(run))
        screening_tasks.require_complete(run)

    @task_group(prefix_group_id=False)
    def visit(run: str, chunk: int) -> None:
        score(run=run, chunk=chunk) >> publish(run=run, chunk=chunk)

    chunks = find_stays()
    run = chunks["run"]
    extracted = extract.partial(run=run).expand(chunk=chunks)
    visited = visit.partial(run=run).expand(chunk=chunks)
    extracted >> check_quality(run) >> visited >> reconcile(run) >> report(run)


for each in valid_conditions(settings_from()):
    for place, dag_id in screening_dags(each.id, each.sources).items():
        with DAG(
            dag_id=dag_id,
            dag_display_name=f"Screen: {each.title}" + (f" at {place}" if each.sources else ""),
            description=each.description,
            doc_md=__doc__,
            schedule=screening_schedule(each),
            **screening_times(each, settings_from()),
            params=screening_form(each, place),
            default_args=task_defaults(settings_from().screening_task),
            tags=[Tag.SCREENING, Tag.WRITES_TO_FHIR, each.id],
        ):
            screen_icu(each, place)
