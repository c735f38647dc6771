"""Holds the defaults of every task in every DAG: owner, which failures are retried, and the time limit."""

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from wardround.airflow.lineage import require_guarded
from wardround.errors import FhirUnreachable, WardroundError
from wardround.spec.conditions import Condition

# A server that does not answer may answer later. Every other WardroundError (a refusal, a rejected resource, an invalid
# spec, a missing model, the quality gate) would be raised again, so that a retry would only delay the news.
# Any other error, such as a full disk, follows Airflow's own retries.
RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception=FhirUnreachable, action=RetryAction.RETRY, reason="the FHIR server did not answer"),
        RetryRule(exception=WardroundError, action=RetryAction.FAIL, reason="a retry would fail in the same way"),
    ]
)


def task_defaults(longest: timedelta) -> dict[str, Any]:
    """Returns the `default_args` of a DAG. A task that runs for more than `longest` is stopped and retried.

    Time spent waiting for a person, or for a slot, does not count. Raises SettingsError if events of the tasks would
    leave with what people wrote (`lineage`).
    """
    require_guarded()
    return {
        "owner": "wardround",
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "retry_policy": RETRY_POLICY,
        "execution_timeout": longest,
    }


def time_to_find(condition: Condition, longest: timedelta) -> timedelta:
    """Returns the time limit of the task that finds the stays, which may also have to wait for an export."""
    return condition.cohort.source.deadline + longest
