"""What every task of every DAG shares: owner, which failures are worth another try, and an end."""

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from wardround.errors import FhirUnreachable, WardroundError
from wardround.spec.conditions import Condition

# A server that does not answer may answer later. Every other WardroundError (a refusal, a rejected resource, a wrong
# spec, a missing model, the quality gate) answers the same each time, so another try would only hide it for longer.
# What is no WardroundError at all, such as a full disk, follows Airflow's own retries.
RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception=FhirUnreachable, action=RetryAction.RETRY, reason="the FHIR server did not answer"),
        RetryRule(exception=WardroundError, action=RetryAction.FAIL, reason="another try would end the same"),
    ]
)

RETRY_DELAY = timedelta(seconds=30)


def task_defaults(longest: timedelta) -> dict[str, Any]:
    """The `default_args` of a DAG none of whose tasks may take longer; one that does is ended, and tried again.

    What waits for a person, or for its turn, takes no time here.
    """
    return {
        "owner": "wardround",
        "retries": 2,
        "retry_delay": RETRY_DELAY,
        "retry_policy": RETRY_POLICY,
        "execution_timeout": longest,
    }


def time_to_find(condition: Condition, longest: timedelta) -> timedelta:
    """What the task may take that finds the stays: it also waits for an export, where the run's cohort is one."""
    return condition.cohort.source.deadline + longest
