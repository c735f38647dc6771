"""What every task of every DAG shares: owner, and which failures are worth another try."""

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from wardround.errors import FhirUnreachable, WardroundError

# A server that does not answer may answer later. Every other WardroundError (a refusal, a rejected resource, a wrong
# spec, a missing model, the quality gate) answers the same each time, so another try would only hide it for longer.
# What is no WardroundError at all, such as a full disk, follows Airflow's own retries.
RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception=FhirUnreachable, action=RetryAction.RETRY, reason="the FHIR server did not answer"),
        RetryRule(exception=WardroundError, action=RetryAction.FAIL, reason="another try would end the same"),
    ]
)

TASK_DEFAULTS: dict[str, Any] = {
    "owner": "wardround",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_policy": RETRY_POLICY,
}
