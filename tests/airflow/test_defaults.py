from datetime import timedelta

import pytest
from airflow.sdk import RetryAction
from airflow.sdk.exceptions import AirflowTaskTimeout

from wardround.airflow.defaults import RETRY_POLICY, task_defaults, time_to_find
from wardround.airflow.guard import TaskFault
from wardround.errors import (
    FhirError,
    FhirRefused,
    FhirUnreachable,
    ModelError,
    QualityError,
    RunIncomplete,
    SpecError,
)
from wardround.settings import settings_from
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_condition


def action(error):
    return RETRY_POLICY.evaluate(error, try_number=1, max_tries=2).action


def test_a_server_that_does_not_answer_is_retried():
    assert action(FhirUnreachable("no answer")) is RetryAction.RETRY


@pytest.mark.parametrize("error", [FhirRefused, FhirError, SpecError, ModelError, QualityError, RunIncomplete])
def test_an_error_that_a_retry_cannot_fix_fails_at_once(error):
    assert action(error("the same again")) is RetryAction.FAIL


@pytest.mark.parametrize("error", [OSError("disk full"), TaskFault("OSError in write, line 1")], ids=["raw", "named"])
def test_an_unforeseen_error_follows_airflows_own_retries(error):
    assert action(error) is RetryAction.DEFAULT


def test_a_task_that_took_too_long_is_retried():
    assert action(AirflowTaskTimeout("too long")) is RetryAction.DEFAULT


def test_every_task_has_a_time_limit_and_the_one_that_waits_for_an_export_has_that_time_on_top(schemas):
    settings = settings_from({"WARDROUND_SCREENING_TASK": "30m"})
    assert task_defaults(settings.screening_task)["execution_timeout"] == timedelta(minutes=30)
    whole = load_condition("sepsis", schemas).model_dump()
    whole["cohort"]["source"] = {"kind": "export", "deadline": "5h"}
    assert time_to_find(Condition(**whole), settings.screening_task) == timedelta(hours=5.5)
