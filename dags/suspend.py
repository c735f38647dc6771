"""The off switch of a condition, and the way back. One DAG per condition file: `suspend__<condition>`; started by hand,
with a reason. From the next request on the condition computes nothing new for people: its screenings fail at
`find_stays`, and one that is under way before it writes more. Shadow runs, reports and trainings go on. Who and why are
kept in the model store. Where Airflow itself is in trouble, `wardround model suspend` does the same.

**When it is red**

* `switch`: no reason was given, or the model store cannot be written. The condition is as it was: use the command.
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

FIRST_IN_LINE = 1000  # an off switch does not queue behind the screening that it is to stop


def suspend(condition: Condition) -> None:
    """The one task of a condition."""

    @task(priority_weight=FIRST_IN_LINE, weight_rule="absolute")
    def switch(params: Any = None, dag_run: Any = None) -> None:
        from wardround.airflow import suspension

        suspension.switch(condition.id, params, dag_run)

    switch()


for each in valid_conditions(settings_from()):
    with DAG(
        dag_id=f"suspend__{each.id}",
        dag_display_name=f"Suspend or resume: {each.title}",
        description=f"Switches screen_icu__{each.id} off, and on again.",
        doc_md=__doc__,
        schedule=None,
        catchup=False,
        max_active_runs=1,
        params=suspension_form(),
        default_args=task_defaults(settings_from().deciding_task),
        tags=[Tag.SCREENING, each.id],
    ):
        suspend(each)
