"""Tests the order of the tasks, and which of them talk to the FHIR server."""

from itertools import pairwise

import pendulum
import pytest

from wardround.airflow.pools import FHIR_POOL

SCREENING = ["find_stays", "extract", "check_quality", "score", "publish", "reconcile", "report"]
TRAINING = [
    "load",
    "build_table",
    "fit_candidate",
    "evaluate",
    "check_leakage",
    "write_card",
    "compare",
    "approve",
    "promote",
]


@pytest.mark.parametrize(
    ("dag_id", "steps"), [("screen_icu__sepsis", SCREENING), ("train__sepsis", TRAINING)], ids=["screening", "training"]
)
def test_the_tasks_run_in_order(dagbag, dag_id, steps):
    dag = dagbag.dags[dag_id]

    assert sorted(task.task_id for task in dag.tasks) == sorted(steps)
    for before, after in pairwise(steps):
        assert before in dag.get_task(after).get_flat_relative_ids(upstream=True), (before, after)


def test_only_tasks_that_talk_to_the_server_run_in_its_pool(dagbag):
    pools = {task.task_id: task.pool for task in dagbag.dags["screen_icu__sepsis"].tasks}

    assert {name for name, pool in pools.items() if pool == FHIR_POOL} == {
        "find_stays",
        "extract",
        "publish",
        "reconcile",
    }


def test_a_schedule_is_the_conditions_own_in_utc(dagbag, schemas):
    from wardround.spec.loading import load_condition

    timetable = dagbag.dags["screen_icu__sepsis"].timetable.timetable

    assert (timetable.expression, str(timetable.timezone)) == (load_condition("sepsis", schemas).schedule, "UTC")


def test_training_produces_the_asset_that_screening_uses(dagbag):
    made = dagbag.dags["train__sepsis"].get_task("promote").outlets
    used = dagbag.dags["screen_icu__sepsis"].get_task("score").inlets[:1]

    assert made == used == dagbag.dags["promote__sepsis"].get_task("promote").outlets


def test_a_new_live_model_starts_the_screening_and_drift_starts_the_training(dagbag):
    started_by = {
        dag_id: [asset.name for asset in dagbag.dags[dag_id].timetable.asset_condition.objects]
        for dag_id in ("screen_icu__sepsis", "train__sepsis")
    }

    assert started_by == {"screen_icu__sepsis": ["live_model__sepsis"], "train__sepsis": ["drift__sepsis"]}


@pytest.mark.parametrize("catchup", [True, False])
def test_events_of_the_live_model_do_not_change_the_screenings_schedule(dagbag, catchup):
    """The next scheduled run is that of the cron expression, whether missed runs are caught up or not."""
    from airflow.serialization.encoders import coerce_to_core_timetable
    from airflow.timetables.base import DataInterval, TimeRestriction

    both = dagbag.dags["screen_icu__sepsis"].timetable
    last = DataInterval.exact(pendulum.datetime(2026, 1, 2, 5))
    restriction = TimeRestriction(earliest=pendulum.datetime(2026, 1, 1), latest=None, catchup=catchup)
    asked = {"last_automated_data_interval": last, "restriction": restriction}

    assert coerce_to_core_timetable(both).next_dagrun_info(**asked) == coerce_to_core_timetable(
        both.timetable
    ).next_dagrun_info(**asked)
