"""Trains, approves and screens through the REST API of the stack, and holds the results against each other."""

from typing import Any, Final

import pandas as pd
from tests.stack.stack import Stack

from wardround.adapters.files.run_folder import RunFolder
from wardround.demo.airflow_rest import FINISHED
from wardround.errors import WardroundError
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.source_settings import DEFAULTS

TRAIN: Final = "train__sepsis"
SCREEN: Final = "screen_icu__sepsis"
# These tests do not need the best model.
QUICK: Final = {"candidates": ["logistic_regression"], "budget": 1, "approval": "ask"}


def train(stack: Stack) -> str:
    """Trains a model, approves it, and returns the state in which the run ended.

    The screening is paused meanwhile: it would run once in shadow mode with the new model, and later runs would wait.
    """
    api = stack.api
    stack.wait_until(lambda: api.knows(TRAIN) and api.knows(SCREEN), "the DAGs have been parsed")
    pause(stack, True)
    run_id = api.trigger(TRAIN, QUICK)

    def ended() -> str | None:
        answer_if_asked(stack, run_id)
        state = api.state(TRAIN, run_id)
        return state if state in FINISHED else None

    found = stack.wait_until(ended, "the training has ended")
    pause(stack, False)
    return found


def pause(stack: Stack, paused: bool) -> None:
    stack.api.send("PATCH", f"dags/{SCREEN}", {"is_paused": paused})


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


def scored(accounted: pd.DataFrame) -> list[tuple[str, float]]:
    """Returns each scored stay of a ledger, and its score."""
    rows = accounted[accounted["outcome"] == "scored"]
    return sorted(zip(rows["stay_id"], rows["score"], strict=True))


def written(stack: Stack, as_of: pd.Timestamp) -> list[tuple[str, float]]:
    """Returns stay and probability of each RiskAssessment of a prediction time on the FHIR server."""
    with FhirClient(FhirEndpoint(stack.fhir_base_url)) as client:
        found = [one for one in client.search("RiskAssessment", {}) if pd.Timestamp(one["occurrenceDateTime"]) == as_of]
    stays = [one["encounter"]["reference"].removeprefix("Encounter/") for one in found]
    return sorted(zip(stays, (one["prediction"][0]["probabilityDecimal"] for one in found), strict=True))


def present(stack: Stack) -> set[str]:
    """Returns the ICU stays in progress, by the FHIR server."""
    with FhirClient(FhirEndpoint(stack.fhir_base_url)) as client:
        found = client.search("Encounter", {"status": "in-progress", "_count": "1000"})
        return {one["id"] for one in found if one["class"]["code"] in DEFAULTS.icu_classes}
