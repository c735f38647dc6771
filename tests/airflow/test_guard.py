"""Tests what a task's log says about an error: our own message, but only type and origin of any other error."""

import inspect
import logging
import traceback

import pandas as pd
import pendulum
import pytest
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
    TaskDeferred,
)
from airflow.triggers.base import BaseTrigger

from wardround.airflow.guard import TaskFault, guarded
from wardround.demo.in_process import run_dag
from wardround.errors import FhirError

MARK = "ZZTOPSECRET"


def converted() -> None:
    """Returns pandas' error for a text in place of a number."""
    pd.Series([MARK]).astype(float)


@guarded
def foreign() -> None:
    converted()


@guarded
def foreign_from_another() -> None:
    try:
        converted()
    except ValueError as error:
        raise KeyError(MARK) from error


@guarded
def foreign_with_a_note() -> None:
    try:
        converted()
    except ValueError as error:
        error.add_note(MARK)
        raise


@guarded
def foreign_in_a_group() -> None:
    raise ExceptionGroup(MARK, [ValueError(MARK)])


@guarded
def ours() -> None:
    raise FhirError("http://f: answered nothing; check it")


@guarded
def ours_of_a_foreign_one() -> None:
    try:
        converted()
    except ValueError as error:
        raise FhirError("http://f: answered nothing; check it") from error


@guarded
def ours_while_a_foreign_one_is_handled() -> None:
    try:
        converted()
    except ValueError:
        raise FhirError("http://f: answered nothing; check it")  # noqa: B904 - that is the case


FOREIGN = [foreign, foreign_from_another, foreign_with_a_note, foreign_in_a_group]
OURS = [ours, ours_of_a_foreign_one, ours_while_a_foreign_one_is_handled]


def raised_by(work) -> BaseException:
    with pytest.raises(BaseException) as raised:  # noqa: PT011 - what it is is looked at next
        work()
    return raised.value


@pytest.mark.parametrize("work", FOREIGN)
def test_of_a_foreign_error_only_the_type_is_left(work, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    fault = raised_by(work)
    assert type(fault) is TaskFault
    assert fault.__cause__ is fault.__context__ is None
    assert MARK not in "".join(traceback.format_exception(fault, chain=True)) + caplog.text
    assert not any("error" in frame.f_locals for frame, _ in traceback.walk_tb(fault.__traceback__) if frame.f_code)


def test_a_foreign_error_is_logged_with_its_type_and_origin(caplog) -> None:
    fault = raised_by(foreign)
    assert str(fault).startswith("ValueError in ")
    assert "test_guard.py" in caplog.text
    assert "in converted" in caplog.text


@pytest.mark.parametrize("work", OURS)
def test_our_own_error_keeps_its_message_but_not_its_causes(work) -> None:
    error = raised_by(work)
    assert (type(error), str(error)) == (FhirError, "http://f: answered nothing; check it")
    assert MARK not in "".join(traceback.format_exception(error, chain=True))
    assert error.__cause__ is error.__context__ is None


class Never(BaseTrigger):
    """A trigger that a task may wait for."""

    def serialize(self):
        return "never", {}

    async def run(self):
        yield


STEERING = [
    AirflowSkipException("not today"),
    AirflowFailException("no"),
    AirflowException("Airflow's own"),
    AirflowRescheduleException(pendulum.datetime(2026, 1, 2)),
    TaskDeferred(trigger=Never(), method_name="execute"),
    SystemExit(1),
    KeyboardInterrupt(),
]


@pytest.mark.parametrize("steering", STEERING, ids=lambda error: type(error).__name__)
def test_airflows_control_exceptions_pass_unchanged(steering) -> None:
    @guarded
    def work() -> None:
        raise steering

    assert raised_by(work) is steering


def test_a_guarded_task_has_the_arguments_and_result_of_its_function() -> None:
    @guarded
    def work(run: str, chunk: int = 1) -> tuple[str, int]:
        """What it does."""
        return run, chunk

    assert work("r", chunk=2) == ("r", 2)
    assert list(inspect.signature(work).parameters) == ["run", "chunk"]
    assert (work.__name__, work.__doc__) == ("work", "What it does.")


DAG_FILE = """
from airflow.sdk import DAG
from tests.airflow.test_guard import FOREIGN, OURS
from wardround.airflow.guard import task

with DAG("guarded", schedule=None):
    for work in (*FOREIGN, *OURS):
        task(task_id=work.__name__)(work.__wrapped__)()
"""


@pytest.mark.usefixtures("airflow_database")
@pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient` is deprecated")
def test_the_log_of_a_real_task_does_not_contain_a_foreign_errors_message(caplog, capfd, tmp_path) -> None:
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    (tmp_path / "guarded.py").write_text(DAG_FILE)
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(DagBag(tmp_path), "dags-folder", None)
    end = run_dag("guarded", tmp_path, pendulum.datetime(2026, 1, 2), {})
    printed = capfd.readouterr()
    said = "\n".join((caplog.text, printed.out, printed.err))
    assert end.failed_tasks == tuple(sorted(work.__name__ for work in (*FOREIGN, *OURS)))
    assert MARK not in said
    assert "ValueError in " in said
    assert "http://f: answered nothing; check it" in said
