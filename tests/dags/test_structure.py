"""The order of the tasks, and who may talk to the FHIR server at once."""

from itertools import pairwise

import pytest

from wardround.airflow.pools import FHIR_POOL

SCREENING = ["find_stays", "extract", "check_quality", "score", "publish", "reconcile", "report"]
TRAINING = ["load", "build_table", "fit_candidate", "evaluate", "check_leakage", "write_card", "promote"]


@pytest.mark.parametrize(
    ("dag_id", "steps"), [("screen_icu__sepsis", SCREENING), ("train__sepsis", TRAINING)], ids=["screening", "training"]
)
def test_the_tasks_follow_each_other(dagbag, dag_id, steps):
    dag = dagbag.dags[dag_id]

    assert sorted(task.task_id for task in dag.tasks) == sorted(steps)
    for before, after in pairwise(steps):
        assert before in dag.get_task(after).get_flat_relative_ids(upstream=True), (before, after)


def test_what_talks_to_the_server_and_nothing_else_runs_in_its_pool(dagbag):
    pools = {task.task_id: task.pool for task in dagbag.dags["screen_icu__sepsis"].tasks}

    assert {name for name, pool in pools.items() if pool == FHIR_POOL} == {
        "find_stays",
        "extract",
        "publish",
        "reconcile",
    }


def test_a_schedule_is_the_conditions_own_in_utc(dagbag, schemas):
    from wardround.spec.loading import load_condition

    timetable = dagbag.dags["screen_icu__sepsis"].timetable

    assert (timetable.expression, str(timetable.timezone)) == (load_condition("sepsis", schemas).schedule, "UTC")


def test_training_makes_the_asset_that_screening_scores_with(dagbag):
    made = dagbag.dags["train__sepsis"].get_task("promote").outlets
    used = dagbag.dags["screen_icu__sepsis"].get_task("score").inlets

    assert made == used
