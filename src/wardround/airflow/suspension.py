"""Switches a condition off or on again, as the form of a DAG run says."""

from collections.abc import Mapping
from typing import Any

from wardround.airflow.forms import triggered_by
from wardround.settings import settings_from
from wardround.workflows import suspension


def switch(condition_id: str, params: Mapping[str, Any], dag_run: Any) -> None:
    """Suspends or resumes the condition in the name of the user who started the run."""
    by, why, settings = triggered_by(dag_run), params["why"], settings_from()
    if params["action"] == "suspend":
        suspension.suspend(condition_id, by, why, settings)
    else:
        suspension.resume(condition_id, by, why, settings)
