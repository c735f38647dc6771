"""Tests what every DAG must have."""

from datetime import timedelta

import pytest

from wardround.airflow.tags import Tag
from wardround.settings import settings_from
from wardround.spec.loading import condition_ids

CONDITIONS = condition_ids(settings_from().schemas)
OF_CONDITIONS = ("promote", "screen_icu", "suspend", "train")
OF_NONE = ("prune_runs", "stream_upkeep")
DAG_IDS = [*(f"{kind}__{condition}" for kind in OF_CONDITIONS for condition in CONDITIONS), *OF_NONE]


@pytest.fixture(params=DAG_IDS)
def dag(request, dagbag):
    return dagbag.dags[request.param]


def test_every_condition_has_its_dags_and_no_file_fails_to_import(dagbag):
    assert dagbag.import_errors == {}
    assert sorted(dagbag.dags) == sorted(DAG_IDS)


def test_tags_come_from_the_closed_list(dag):
    assert dag.tags <= {*Tag, *CONDITIONS}
    assert dag.tags & {*Tag}


def test_every_task_has_an_owner_and_the_shared_retries(dag):
    for task in dag.tasks:
        assert task.owner == "wardround", task.task_id
        assert task.retries == 2, task.task_id
        assert task.retry_policy is not None, task.task_id


def test_every_task_is_guarded(dag):
    """Everything that Airflow calls is guarded: a decorated function, or the methods of our own operator."""
    for task in dag.tasks:
        function = getattr(task, "python_callable", None)
        called = [function] if function else [task.execute, task.execute_complete]
        assert all(getattr(each, "guarded", False) for each in called), task.task_id


def test_every_task_after_the_one_that_opens_a_run_checks_that_its_worker_shares_the_run(dag):
    """The task that asks a person reads the run as well; it is followed by one that checks."""
    opener = {"screen_icu": "find_stays", "train": "load"}.get(dag.dag_id.partition("__")[0])
    after = [task for task in dag.tasks if opener and task.task_id not in (opener, "approve")]
    assert [getattr(task.python_callable, "after", None) for task in after] == [opener] * len(after)


def test_every_task_has_the_time_limit_of_its_kind(dag):
    """The kind is the prefix of the DAG's id. The task that waits for an export has the export's time on top."""
    longest = {
        "screen_icu": hours(2),
        "stream_upkeep": hours(2),
        "prune_runs": hours(2),
        "train": hours(12),
        "promote": hours(0.25),
        "suspend": hours(0.25),
    }
    kind = dag.dag_id.partition("__")[0]
    more = {"find_stays": hours(2)}  # cohort.source.deadline
    assert {task.task_id: task.execution_timeout for task in dag.tasks} == {
        task.task_id: longest[kind] + more.get(task.task_id, hours(0)) for task in dag.tasks
    }


def hours(number):
    return timedelta(hours=number)


def test_the_docs_say_what_to_do_when_it_is_red(dag):
    assert "**When it is red**" in dag.doc_md
    for task in dag.tasks:
        mentioned = f"`{task.task_id}`" in dag.doc_md
        assert mentioned or task.task_id in ("evaluate", "write_card"), task.task_id


def test_every_param_has_a_title_and_a_description_for_the_form(dag):
    for name in dag.params:
        param = dag.params.get_param(name)
        assert param.schema["title"], name
        assert param.description, name


def test_missed_runs_are_skipped_and_runs_do_not_overlap(dag):
    assert dag.catchup is False
    assert dag.max_active_runs == 1


def test_parsing_twice_gives_the_same_dag(dag, dagbag):
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    again = DagBag(dag.fileloc).dags[dag.dag_id]

    assert DagSerialization.to_dict(again) == DagSerialization.to_dict(dag)
