"""What Airflow's API refuses, as who started it is told."""

import pytest
from tests.airflow.serving import served

from wardround.airflow.rest import AirflowApi
from wardround.errors import WardroundError


async def failing(_scope, _receive, send) -> None:
    await send({"type": "http.response.start", "status": 500, "headers": []})
    await send({"type": "http.response.body", "body": b"patients:1001"})


def test_a_refusal_of_airflow_is_no_fault_of_the_program_and_its_text_is_not_shown() -> None:
    with served(failing) as url, pytest.raises(WardroundError) as refused:
        AirflowApi(url).trigger("screen_icu__sepsis", {})
    assert str(refused.value).startswith("Airflow: answered 500 to POST dags/screen_icu__sepsis/dagRuns")
    assert "1001" not in str(refused.value)
