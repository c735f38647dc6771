"""Trains, approves and screens through the REST API of the stack, and holds the results against each other."""

from typing import Any, Final

import pandas as pd
from tests.stack.stack import NOW, Stack

from wardround.adapters.files.run_folder import RunFolder
from wardround.demo.airflow_rest import FINISHED
from wardround.errors import WardroundError
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint

TRAIN: Final = "train__sepsis"
SCREEN: Final = "screen_icu__sepsis"
# These tests do not need the best model.
QUICK: Final = {"candidates": ["logistic_regression"], "budget": 1, "approval": "ask"}


def train(stack: Stack) -> str:
    """Trains a model, approves it, and returns the state in which the run ended."""
    api = stack.api
    stack.wait_until(lambda: api.knows(TRAIN), "the DAGs have been parsed")
    run_id = api.trigger(TRAIN, QUICK)

    def ended() -> str | None:
        answer_if_asked(stack, run_id)
        state = api.state(TRAIN, run_id)
        return state if state in FINISHED else None

    return stack.wait_until(ended, "the training has ended")


def answer_if_asked(stack: Stack, run_id: str) -> None:
    """Approves as often as Airflow asks: it takes an answer that comes too early for a crash, and asks again."""
    about = f"dags/{TRAIN}/dagRuns/{run_id}"
    for one in stack.api.get(f"{about}/hitlDetails?response_received=false")["hitl_details"]:
        if one["task_instance"]["state"] == "awaiting_input":
            answer = {"chosen_options": ["Approve"], "params_input": {"why": "the figures are those of the ward"}}
            stack.api.send("PATCH", f"{about}/taskInstances/approve/-1/hitlDetails", answer)


def tasks(stack: Stack, run_id: str, dag_id: str = SCREEN) -> list[dict[str, Any]]:
    """Returns Airflow's task instances of a run."""
    found = stack.api.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=500")
    return list(found["task_instances"])


def state(stack: Stack, run_id: str) -> str | None:
    """Returns how a screening ended, or None while it has not, or while Airflow cannot say."""
    try:
        found = stack.api.state(SCREEN, run_id)
    except WardroundError:
        return None
    return found if found in FINISHED else None


def ledger(stack: Stack, run_id: str) -> pd.DataFrame:
    name = stack.api.get(f"dags/{SCREEN}/dagRuns/{run_id}/taskInstances/find_stays/xcomEntries/run")["value"]
    return RunFolder.existing(str(stack.volume("runs")), name).read_frame("ledger.parquet")


def written(stack: Stack, as_of: pd.Timestamp = NOW) -> list[dict[str, Any]]:
    """Returns the RiskAssessments of a prediction time on the FHIR server."""
    with FhirClient(FhirEndpoint(stack.fhir_base_url)) as client:
        found = list(client.search("RiskAssessment", {}))
    return [one for one in found if pd.Timestamp(one["occurrenceDateTime"]) == as_of]
