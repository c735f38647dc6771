"""Visits every stay of the intensive care unit at the run's time, scores the risk of one condition, and writes it back
as FHIR RiskAssessments. One DAG per condition file: `screen_icu__<condition>`; where the file names several `sources`,
one more for each but the first: `screen_icu__<condition>__<source>`. When another model goes live it also runs once in
shadow: scores and a report, and nothing written.

**When it is red**

* `find_stays`: the server did not answer for as long as the run may wait, refused, or takes no results; or no model is
  live. Nothing was written. Try the Test button of the connection and `wardround model list`, then clear the task.
* *suspended by*, in the message of whichever task: somebody has switched the condition off. `wardround model list` says
  why; nothing is computed for people until `suspend__<condition>` or `wardround model resume` switches it on again.
* a chunk of `extract`, `score` or `publish`: harmless for the other chunks; its stays are *failed* in the ledger. The
  log names the rule and the resource. Clear the chunk to try it again: nothing is ever written twice.
* `check_quality`: too many feature rows broke the suite, so nothing was written. The report's validation part says
  which rule: a changed unit or a feed that stopped is likelier than a sick ward. Mend it, and clear `find_stays`.
* `reconcile`: the server does not hold what the ledger says was written. Clear it; if it stays red, ask who else writes
  RiskAssessments there.
* `report` alone: the report is there. Either the run was incomplete, and it says which stays failed and why. Or far
  fewer stays were found than expected, and those found are screened: hold the ICU classes and Locations of the
  connection against `wardround check-source`; if the ward is that empty, run again with *Accept the census*.

Running again at the same time changes nothing on the server. Decision support only: adjunct, never the sole factor.
"""

from typing import Any

from airflow.sdk import DAG, TriggerRule, task_group

from wardround.airflow.assets import live_model
from wardround.airflow.conditions import valid_conditions
from wardround.airflow.defaults import task_defaults, time_to_find
from wardround.airflow.forms import first_day, screening_form
from wardround.airflow.guard import task
from wardround.airflow.schedules import screening_schedule
from wardround.airflow.sources import screening_dags
from wardround.airflow.tags import Tag
from wardround.settings import settings_from
from wardround.spec.conditions import Condition

CHUNK = "chunk {{ task.op_kwargs['chunk'] }}"
# What follows mapped tasks runs when all of them have ended, failed chunks included, if the stays were found.
ALL_ENDED = TriggerRule.ALL_DONE_MIN_ONE_SUCCESS


def screen_icu(condition: Condition, source: str) -> None:
    """The tasks of a condition at a source; each calls the function of its name in wardround.workflows.screen."""

    @task(pool=source, execution_timeout=time_to_find(condition, settings_from().screening_task))
    def find_stays(params: Any = None, dag_run: Any = None, ti: Any = None) -> list[int]:
        from wardround.airflow import screening_tasks

        run, chunks = screening_tasks.find_stays(condition.id, params, dag_run)
        ti.xcom_push("run", run)
        return chunks

    @task(pool=source, map_index_template=CHUNK)
    def extract(run: str, chunk: int, params: Any = None, dag_run: Any = None) -> None:
        from wardround.airflow import screening_tasks

        screening_tasks.extract(run, chunk, params, dag_run)

    @task(trigger_rule=ALL_ENDED)
    def check_quality(run: str) -> None:
        from wardround.workflows import screen

        screen.check_quality(run, settings_from())

    @task(map_index_template=CHUNK, inlets=[live_model(condition.id)])
    def score(run: str, chunk: int) -> None:
        from wardround.airflow import screening_tasks

        screening_tasks.score(run, chunk)

    @task(pool=source, map_index_template=CHUNK)
    def publish(run: str, chunk: int, params: Any = None, dag_run: Any = None) -> None:
        from wardround.airflow import screening_tasks

        screening_tasks.publish(run, chunk, params, dag_run)

    @task(pool=source, trigger_rule=ALL_ENDED)
    def reconcile(run: str, params: Any = None, dag_run: Any = None) -> None:
        from wardround.airflow import screening_tasks

        screening_tasks.reconcile(run, params, dag_run)

    @task(trigger_rule=ALL_ENDED)
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
            start_date=first_day(each),
            catchup=each.catch_up_from is not None,
            max_active_runs=1,
            params=screening_form(each, place),
            default_args=task_defaults(settings_from().screening_task),
            tags=[Tag.SCREENING, Tag.WRITES_TO_FHIR, each.id],
        ):
            screen_icu(each, place)
