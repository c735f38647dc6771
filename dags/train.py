"""Trains a model of one condition from MIMIC-IV: labels and features, candidates in grouped cross-validation, a card, a
comparison with the live model on the same test patients, a person's approval. One DAG per condition file:
`train__<condition>`; started by hand, by the condition's `retraining`, or by an event of `drift__<condition>`.

**When it is red**

* `load`: a file or a column of MIMIC is missing, or the folder is not given (Param, or MIMIC_CSV_PATH of the workers).
* `build_table`: too few patients, or none with the outcome, on a side of the split. Nothing was stored.
* a candidate of `fit_candidate`: `evaluate` needs all of them; its log has the library's own message.
* `check_leakage`: a gate failed; the message names it, its figure and the remedy. Nothing was stored.
* `compare`: a promotion gate failed; the message names it. The model is stored, and nobody is asked. Train again, or
  let it go live with `wardround model promote`, its `--despite-gates` and a reason.
* `approve` awaits input: *Required Actions* shows candidate against live and takes the answer. Who and why are kept in
  the model store. No answer within the condition's `promotion.answer_within` is a no. Skipped: the same model is live.
* `promote`: the model could not score today (a changed file, another spec), or another one went live since the
  comparison; then clear `compare`. Skipped is no error: the answer was no; `wardround model show` says whose, and why.

No red task here changes what is live, and so none disturbs the screening.
"""

from typing import Any

from airflow.sdk import DAG

from wardround.airflow.approval import PromotionApproval
from wardround.airflow.assets import live_model
from wardround.airflow.conditions import valid_conditions
from wardround.airflow.defaults import task_defaults
from wardround.airflow.forms import approval_form, training_form
from wardround.airflow.guard import task
from wardround.airflow.schedules import training_schedule
from wardround.airflow.tags import Tag
from wardround.settings import settings_from
from wardround.spec.conditions import Condition


def train(condition: Condition) -> None:
    """The tasks of one condition: each calls the function of its name in wardround.workflows.train."""

    @task
    def load(params: Any = None, dag_run: Any = None) -> str:
        from wardround.airflow import training_tasks

        return training_tasks.load(condition.id, params, dag_run)

    @task
    def build_table(run: str) -> list[str]:
        from wardround.workflows import train

        return train.build_table(run, settings_from())

    @task(map_index_template="{{ task.op_kwargs['candidate'] }}")
    def fit_candidate(run: str, candidate: str) -> None:
        from wardround.workflows import train

        train.fit_candidate(run, candidate, settings_from())

    @task
    def evaluate(run: str) -> None:
        from wardround.workflows import train

        train.evaluate(run, settings_from())

    @task
    def check_leakage(run: str) -> None:
        from wardround.workflows import train

        train.check_leakage(run, settings_from())

    @task
    def write_card(run: str) -> None:
        from wardround.workflows import train

        train.write_card(run, settings_from())

    @task
    def compare(run: str) -> None:
        from wardround.airflow import training_tasks

        training_tasks.compare(run)

    @task(outlets=[live_model(condition.id)])
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
