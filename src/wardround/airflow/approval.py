"""Asks a person whether a trained model may go live, with Airflow's ApprovalOperator."""

from collections.abc import Mapping
from typing import Any, Final

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowSkipException

from wardround.airflow.forms import triggered_by
from wardround.airflow.guard import guarded
from wardround.errors import ModelError

_NO_REASON: Final = "no reason given"
NOBODY: Final = "nobody"


class PromotionApproval(ApprovalOperator):  # type: ignore[misc]  # mypy does not follow airflow
    """Shows the candidate beside the live model, asks, and returns {"by": …, "why": …} for the task `promote`.

    If the Param `approval` says that no approval is needed, `promote` runs at once. A rejection, or no answer within
    `response_timeout`, is recorded in the model store and skips `promote`. If the model is already live, both tasks
    are skipped.
    """

    template_fields = (*ApprovalOperator.template_fields, "run")

    def __init__(self, *, run: Any, **kwargs: Any) -> None:
        super().__init__(subject="", body="", defaults=self.REJECT, **kwargs)
        self.run = run

    @guarded
    def execute(self, context: Any) -> Any:
        # pandas takes seconds to import, and this file is imported each time that the DAG is parsed.
        from wardround.airflow import training_tasks

        if training_tasks.is_live(self.run):
            raise AirflowSkipException("the trained version is already live")
        unasked = training_tasks.why_unasked(self.run)
        if unasked:
            return {"by": triggered_by(context["dag_run"]), "why": unasked}
        self.subject, self.body = training_tasks.question(self.run)
        return super().execute(context)

    @guarded
    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        from wardround.airflow import training_tasks

        answer = answer_in(event)
        if self.REJECT in event.get("chosen_options", ()):
            training_tasks.leave(self.run, "unanswered" if event.get("timedout") else "rejected", **answer)
        elif answer["why"] == _NO_REASON and training_tasks.is_withdrawn(self.run):
            raise ModelError(
                "approve: the version was withdrawn and no reason was given, expected one; clear the task and give one"
            )
        super().execute_complete(context, event)
        return answer


def answer_in(event: Mapping[str, Any]) -> dict[str, str]:
    """Returns who answered and why. Only Airflow's form insists on a reason; its API accepts an answer without one."""
    user = event.get("responded_by_user") or {"name": NOBODY}
    return {"by": user["name"], "why": ((event.get("params_input") or {}).get("why") or "").strip() or _NO_REASON}
