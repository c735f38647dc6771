"""What a task may say when it fails: a WardroundError its message, a foreign error what it is and where it was raised.

The message of a foreign error may hold a patient's value (`could not convert string to float: '…'`), and Airflow writes
it, and those of all errors that led to it, into the task's log.
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
    """A foreign error ended a task. Airflow tries again, as it would have: a full disk may be emptied."""


def guarded(work: Callable[P, T]) -> Callable[P, T]:
    """The same for a task: it raises nothing whose message, cause or traceback holds more than it may say.

    What Airflow raises to steer a task (skip, reschedule, wait, fail) passes as it is.
    """

    @functools.wraps(work)
    def sayably(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - raised again below, where no error of before hangs on it
            sayable = _sayable(error)
        raise sayable

    sayably.guarded = True  # type: ignore[attr-defined]
    return sayably


def task(work: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Airflow's own `@task`, with or without options, for work that is guarded."""
    if work is None:
        return functools.partial(task, **options)
    return airflow.sdk.task(**options)(guarded(work))


def _sayable(error: BaseException) -> BaseException:
    if isinstance(error, Exception) and not isinstance(error, WardroundError) and not _is_airflows(error):
        _LOG.error("the error came from here:\n%s", "".join(traceback.format_tb(error.__traceback__)))
        return TaskFault(
            f"{named(error)}: a fault of the program or of the machine, expected none; its message is left out, for it"
            " may hold a patient's value; see the lines above, and clear the task once the cause is mended"
        )
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None) if isinstance(error, WardroundError) else error


def _is_airflows(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] == "airflow"
