"""Keeps patients' values out of a failed task's log: only our own errors show their message there.

The message of any other error may contain a patient's value (`could not convert string to float: '…'`), and Airflow
writes it, and those of all errors that caused it, to the task's log. For such an error the log names only its type and
where it was raised.
"""

import functools
import logging
import traceback
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import airflow.sdk
from airflow.sdk.exceptions import AirflowException

from wardround.errors import WardroundError, named

P = ParamSpec("P")
T = TypeVar("T")

_LOG = logging.getLogger(__name__)


class TaskFault(AirflowException):  # type: ignore[misc]  # mypy does not follow airflow
    """An error that is not ours ended a task. Airflow retries it, as it does by default: a full disk may be freed."""


def guarded(work: Callable[P, T]) -> Callable[P, T]:
    """Wraps the work of a task so that no error's message, cause or traceback reveals a patient's value.

    The exceptions with which Airflow controls a task (skip, reschedule, defer, fail) pass unchanged.
    """

    @functools.wraps(work)
    def run_guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - raised again below, without the errors that caused it
            shown = _safe_to_show(error)
        raise shown

    run_guarded.guarded = True  # type: ignore[attr-defined]
    return run_guarded


def task(work: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Airflow's own `@task`, with or without options, around guarded work."""
    if work is None:
        return functools.partial(task, **options)
    return airflow.sdk.task(**options)(guarded(work))


def _safe_to_show(error: BaseException) -> BaseException:
    if isinstance(error, Exception) and not isinstance(error, WardroundError) and not _is_airflows(error):
        _LOG.error("the error was raised here:\n%s", "".join(traceback.format_tb(error.__traceback__)))
        return TaskFault(
            f"{named(error)}: a fault of the program or of the machine, expected none; its message is left out because"
            " it may contain a patient's value; see the lines above, and clear the task once the cause is fixed"
        )
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None) if isinstance(error, WardroundError) else error


def _is_airflows(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] == "airflow"
