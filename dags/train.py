"""Trains a model of one condition from MIMIC-IV CSVs: labels and features, candidates in grouped cross-validation, the
test patients once, a card. One DAG per condition file: `train__<condition>`; started by hand.

**When it is red**

* `load`: a file or a column of MIMIC is missing, or the folder is not given (Param, or MIMIC_CSV_PATH of the workers).
* `build_table`: too few patients, or none with the outcome, on a side of the split. Nothing was stored.
* a candidate of `fit_candidate`: `evaluate` needs all of them; its log has the library's own message.
* `check_leakage`: a gate failed; the message names it, its figure and the remedy. Nothing was stored.
* `promote` skipped is no error: the model is stored, and another version stays live. Compare the two with
  `wardround model show`, then decide: `wardround model promote`.

No red task here changes what is live, and so none disturbs the screening.
"""

from typing import Any

from airflow.sdk import DAG, task

from wardround.airflow.assets import live_model
from wardround.airflow.conditions import valid_conditions
from wardround.airflow.defaults import TASK_DEFAULTS
from wardround.airflow.forms import training_form
from wardround.airflow.tags import Tag
from wardround.settings import settings_from
from wardround.spec.conditions import Condition


def train(condition: Condition) -> None:
    """The tasks of one condition: each calls the function of its name in wardround.workflows.training."""

    @task
    def load(params: Any = None, dag_run: Any = None) -> str:
        from wardround.airflow import training

        return training.load(condition.id, params, dag_run)

    @task
    def build_table(run: str) -> list[str]:
        from wardround.workflows import training

        return training.build_table(run, settings_from())

    @task(map_index_template="{{ task.op_kwargs['candidate'] }}")
    def fit_candidate(run: str, candidate: str) -> None:
        from wardround.workflows import training

        training.fit_candidate(run, candidate, settings_from())

    @task
    def evaluate(run: str) -> None:
        from wardround.workflows import training

        training.evaluate(run, settings_from())

    @task
    def check_leakage(run: str) -> None:
        from wardround.workflows import training

        training.check_leakage(run, settings_from())

    @task
    def write_card(run: str) -> str:
        from wardround.workflows import training

        return training.write_card(run, settings_from())

    @task(outlets=[live_model(condition.id)])
    def promote(run: str, version: str, outlet_events: Any = None) -> None:
        from wardround.airflow import training

        training.promote(run, version)
        outlet_events[live_model(condition.id)].extra = {"version": version}

    run = load()
    evaluated = evaluate(run)
    version = write_card(run)
    fit_candidate.partial(run=run).expand(candidate=build_table(run)) >> evaluated
    evaluated >> check_leakage(run) >> version
    promote(run, version)


for each in valid_conditions(settings_from()):
    with DAG(
        dag_id=f"train__{each.id}",
        dag_display_name=f"Train: {each.title}",
        description=f"Trains the model that screen_icu__{each.id} scores with.",
        doc_md=__doc__,
        schedule=None,
        max_active_runs=1,
        params=training_form(each),
        default_args=TASK_DEFAULTS,
        tags=[Tag.TRAINING, each.id],
    ):
        train(each)
