"""Makes a stored model of one condition live, or rolls back to the previous one. One DAG per condition file:
`promote__<condition>`. A person starts it and gives a reason; the model store records both. The screening then runs
once in shadow mode with the new live model, as it does after a training.

**When it is red**

* `promote`: the version cannot score (a file was changed, a digest is missing, or the spec differs); or its gates
  failed and *Despite its gates* is not set; or there was no previous live model. The message says which. The live model
  is unchanged.
"""

from typing import Any

from airflow.sdk import DAG

from wardround.airflow.assets import live_model
from wardround.airflow.conditions import stored_versions, valid_conditions
from wardround.airflow.defaults import task_defaults
from wardround.airflow.forms import promotion_form
from wardround.airflow.guard import task
from wardround.airflow.tags import Tag
from wardround.settings import settings_from
from wardround.spec.conditions import Condition


def promote_stored(condition: Condition) -> None:
    """Adds the only task of the DAG."""

    @task(outlets=[live_model(condition.id)])
    def promote(params: Any = None, dag_run: Any = None, outlet_events: Any = None) -> None:
        from wardround.airflow import training_tasks

        outlet_events[live_model(condition.id)].extra = training_tasks.promote_stored(condition.id, params, dag_run)

    promote()


for each in valid_conditions(settings_from()):
    with DAG(
        dag_id=f"promote__{each.id}",
        dag_display_name=f"Promote or roll back: {each.title}",
        description=f"Chooses the stored model that screen_icu__{each.id} scores with.",
        doc_md=__doc__,
        schedule=None,
        catchup=False,
        max_active_runs=1,
        params=promotion_form(stored_versions(each.id, settings_from())),
        default_args=task_defaults(settings_from().deciding_task),
        tags=[Tag.TRAINING, each.id],
    ):
        promote_stored(each)
