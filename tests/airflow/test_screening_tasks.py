"""Tests what a task does while its source is down."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException

from wardround.airflow.screening_tasks import LOOK_AGAIN, find_stays
from wardround.errors import FhirUnreachable

NOWHERE = "http://127.0.0.1:9/fhir"


@pytest.fixture
def params(settings, monkeypatch):
    """The Params of a run whose source does not exist; a task repeats a request once."""
    places = {"HOME": settings.home, "VAR": settings.var, "RUNS": settings.runs, "MODELS": settings.models}
    for name, place in places.items():
        monkeypatch.setenv(f"WARDROUND_{name}", str(place))
    connection = {"conn_type": "fhir", "host": NOWHERE, "extra": {"retries": 1}}
    monkeypatch.setenv("AIRFLOW_CONN_FHIR_DEFAULT", json.dumps(connection))
    asked = {
        "connection": "fhir_default",
        "as_of": None,
        "allow_future": False,
        "accept_census": False,
        "look_back": None,
        "cohort": None,
        "chunk_size": None,
    }
    return {**asked, "mode": "live", "wait_for_source": "30m"}


def began(minutes_ago: int) -> SimpleNamespace:
    now = datetime.now(UTC)
    begun = now - timedelta(minutes=minutes_ago)
    return SimpleNamespace(
        dag_id="screen_icu__sepsis",
        run_id="r",
        run_type="manual",
        logical_date=now,
        run_after=now,
        start_date=begun,
        conf={},
    )


def test_a_waiting_task_runs_again_after_the_time_between_two_looks(params):
    before = datetime.now(UTC)
    with pytest.raises(AirflowRescheduleException) as raised:
        find_stays("sepsis", params, began(minutes_ago=0), None)
    assert before < raised.value.reschedule_date <= datetime.now(UTC) + LOOK_AGAIN


def test_a_waiting_task_runs_again_no_later_than_its_run_may_wait(params, monkeypatch):
    monkeypatch.setattr("wardround.airflow.screening_tasks.LOOK_AGAIN", timedelta(days=1))
    run = began(minutes_ago=10)
    with pytest.raises(AirflowRescheduleException) as raised:
        find_stays("sepsis", params, run, None)
    assert raised.value.reschedule_date == run.start_date + timedelta(minutes=30)


def test_a_run_that_has_waited_long_enough_says_that_its_source_is_unreachable(params):
    with pytest.raises(FhirUnreachable):
        find_stays("sepsis", params, began(31), None)
