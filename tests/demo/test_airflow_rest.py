"""Tests what the user is told if Airflow's API refuses a request."""

import json

import pytest
from tests.airflow.serving import served

from wardround.demo.airflow_rest import AirflowApi
from wardround.errors import WardroundError


async def failing(_scope, _receive, send) -> None:
    await send({"type": "http.response.start", "status": 500, "headers": []})
    await send({"type": "http.response.body", "body": b"patients:1001"})


def answering(*statuses: int):
    """An application that answers these statuses in turn, and the bodies that it received."""
    left, asked = list(statuses), []

    async def application(_scope, receive, send) -> None:
        wanted = json.loads((await receive())["body"])
        asked.append(wanted)
        status = left.pop(0)
        content = json.dumps({"dag_run_id": wanted["dag_run_id"]} if status == 200 else {"detail": "no"}).encode()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": content})

    return application, asked


@pytest.mark.parametrize("statuses", [(200,), (500, 200), (503, 500, 200), (500, 409)])
def test_a_run_is_requested_again_with_the_same_id_if_airflow_fails(statuses) -> None:
    application, asked = answering(*statuses)
    with served(application) as url:
        run_id = AirflowApi(url).trigger("screen_icu__sepsis", {"mode": "shadow"})
    assert [wanted["dag_run_id"] for wanted in asked] == [run_id] * len(statuses)
    assert asked[-1]["conf"] == {"mode": "shadow"}


@pytest.mark.parametrize("statuses", [(409,), (400,), (500, 500, 500), (500, 404)])
def test_a_request_that_airflow_keeps_refusing_is_an_error(statuses) -> None:
    application, asked = answering(*statuses)
    with served(application) as url, pytest.raises(WardroundError, match=f"answered {statuses[-1]} to POST"):
        AirflowApi(url).trigger("screen_icu__sepsis", {})
    assert len(asked) == len(statuses)


def test_airflows_refusal_is_a_wardround_error_without_airflows_text() -> None:
    with served(failing) as url, pytest.raises(WardroundError) as refused:
        AirflowApi(url).trigger("screen_icu__sepsis", {})
    assert str(refused.value).startswith("Airflow: answered 500 to POST dags/screen_icu__sepsis/dagRuns")
    assert "1001" not in str(refused.value)
