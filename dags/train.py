"""Trains a model for one condition on MIMIC-IV: builds labels and features, fits the candidates in grouped
cross-validation, writes a model card, compares the result with the live model on the same test patients, and asks a
person for approval. One DAG per condition file: `train__<condition>`. It is started by hand, by the condition's
`retraining` schedule, or by an event of the asset `drift__<condition>`.

**When it is red**

* `load`: a file or column of MIMIC is missing, or no folder was given (the Param, or MIMIC_CSV_PATH on the workers).
* `build_table`: one side of the split has too few patients, or none with the outcome. Nothing was stored.
* a candidate of `fit_candidate`: `evaluate` needs all candidates. The log has the library's own message.
* `check_leakage`: a gate failed. The message names it, its value and what to do. Nothing was stored.
* `compare`: a promotion gate failed, and the message names it. The model is stored, but nobody is asked to approve it.
  Train again, or make it live with `wardround model promote --despite-gates` and a reason.
* `approve` awaits input: *Required Actions* compares the candidate with the live model and takes the answer. The model
  store records who answered and why. No answer within the condition's `promotion.answer_within` counts as a no. If it
  is skipped, the same model is already live.
* `promote`: the model cannot score (a file was changed, or the spec differs), or another model has gone live since the
  comparison; in that case clear `compare`. If it is skipped, the answer was no: `wardround model show` says who gave it
  and why.

A red task here never changes which model is live, so it never affects the screening.
"""

from typing import Any

from airflow.sdk import DAG

from wardround.airflow.approval import PromotionApproval
from wardround.airflow.assets import live_model, mimic, training_table
from wardround.airflow.conditions import valid_conditions
from wardround.airflow.defaults import task_defaults
from wardround.airflow.forms import approval_form, training_form
from wardround.airflow.guard import task
from wardround.airflow.schedules import training_schedule
from wardround.airflow.sharing import MARK, mark_of, task_after
from wardround.airflow.tags import Tag
from wardround.settings import settings_from
from wardround.spec.conditions import Condition


def train(condition: Condition) -> None:
    """Adds the tasks for one condition; each calls the function of the same name in wardround.workflows.train."""

    table = training_table(condition.id)

    @task(inlets=[mimic()])
    def load(params: Any = None, dag_run: Any = None, ti: Any = None) -> str:
        from wardround.airflow import training_tasks

        run = training_tasks.load(condition.id, params, dag_run)
        ti.xcom_push(MARK, mark_of(run, condition.id))
        return run

    @task_after("load", inlets=[mimic()], outlets=[table])
    def build_table(run: str) -> list[str]:
        from wardround.workflows import train

        return train.build_table(run, settings_from())

    @task_after("load", map_index_template="{{ task.op_kwargs['candidate'] }}", inlets=[table])
    def fit_candidate(run: str, candidate: str) -> None:
        from wardround.workflows import train

        train.fit_candidate(run, candidate, settings_from())

    @task_after("load")
    def evaluate(run: str) -> None:
        from wardround.workflows import train

        train.evaluate(run, settings_from())

    @task_after("load")
    def check_leakage(run: str) -> None:
        from wardround.workflows import train

        train.check_leakage(run, settings_from())

    @task_after("load")
    def write_card(run: str) -> None:
        from wardround.workflows import train

        train.write_card(run, settings_from())

    @task_after("load")
    def compare(run: str) -> None:
        from wardround.airflow import training_tasks

        training_tasks.compare(run)

    @task_after("load", inlets=[table], outlets=[live_model(condition.id)])
    def promote(run: str, answer: dict[str, str], outlet_events: Any = None) -> None:
        from wardround.airflow import training_tasks

        outlet_events[live_model(condition.id)].extra = training_tasks.promote(run, **answer)

    run = load()
    approve = PromotionApproval(
        task_id="approve", run=run, params=approval_form(), response_timeout=condition.promotion.answer_within
    )
    fitted = fit_candidate.partial(run=run).expand(candidate=build_table(run))
    fitted >> evaluate(run) >> check_leakage(run) >> write_card(run) >> compare(run) >> approve
    promote(run, approve.output)


for each in valid_conditions(settings_from()):
    with DAG(
        dag_id=f"train__{each.id}",
        dag_display_name=f"Train: {each.title}",
        description=f"Trains the model that screen_icu__{each.id} scores with.",
        doc_md=__doc__,
        schedule=training_schedule(each),
        catchup=False,
        max_active_runs=1,
        params=training_form(each),
        default_args=task_defaults(settings_from().training_task),
        tags=[Tag.TRAINING, each.id],
    ):
        train(each)
