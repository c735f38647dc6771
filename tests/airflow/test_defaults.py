import pytest
from airflow.sdk import RetryAction

from wardround.airflow.defaults import RETRY_POLICY
from wardround.errors import (
    FhirError,
    FhirRefused,
    FhirUnreachable,
    ModelError,
    QualityError,
    RunIncomplete,
    SpecError,
)


def action(error):
    return RETRY_POLICY.evaluate(error, try_number=1, max_tries=2).action


def test_a_server_that_does_not_answer_is_asked_again():
    assert action(FhirUnreachable("no answer")) is RetryAction.RETRY


@pytest.mark.parametrize("error", [FhirRefused, FhirError, SpecError, ModelError, QualityError, RunIncomplete])
def test_what_would_end_the_same_fails_at_once(error):
    assert action(error("the same again")) is RetryAction.FAIL


def test_what_nobody_foresaw_follows_airflows_own_retries():
    assert action(OSError("disk full")) is RetryAction.DEFAULT
