"""Switches a condition off, or on again. One DAG per condition file: `suspend__<condition>`. A person starts it and
gives a reason; the model store records both. From then on the condition computes nothing new for people: new screenings
fail at `find_stays`, and a running one stops before its next write. Shadow runs, reports and trainings continue. If
Airflow itself is in trouble, `wardround model suspend` does the same.

**When it is red**

* `switch`: no reason was given, or the model store is not writable. Nothing has changed: use the command instead.
"""

from typing import Any

from airflow.sdk import DAG

from wardround.airflow.conditions import valid_conditions
from wardround.airflow.defaults import task_defaults
from wardround.airflow.forms import suspension_form
from wardround.airflow.guard import task
from wardround.airflow.tags import Tag
from wardround.settings import settings_from
from wardround.spec.conditions import Condition

FIRST_IN_LINE = 1000  # an off switch must not queue behind the screening that it is meant to stop


def suspend(condition: Condition) -> None:
    """Adds the only task of the DAG."""

    @task(priority_weight=FIRST_IN_LINE, weight_rule="absolute")
    def switch(params: Any = None, dag_run: Any = None) -> None:
        from wardround.airflow import suspension

        suspension.switch(condition.id, params, dag_run)

    switch()


for each in valid_conditions(settings_from()):
    with DAG(
        dag_id=f"suspend__{each.id}",
        dag_display_name=f"Suspend or resume: {each.title}",
        description=f"Switches screen_icu__{each.id} off or on again.",
        doc_md=__doc__,
        schedule=None,
        catchup=False,
        max_active_runs=1,
        params=suspension_form(),
        default_args=task_defaults(settings_from().deciding_task),
        tags=[Tag.SCREENING, each.id],
    ):
        suspend(each)
