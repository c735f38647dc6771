"""Runs the DAG of the stream's upkeep in one process, against the embedded server."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.fixtures.icu import AS_OF, Icu
from tests.stream.hospital import ONE_BRANCH, with_branches

from wardround.adapters.database.database import opened
from wardround.adapters.database.history import runs_in
from wardround.airflow.environment import local_environment
from wardround.airflow.schedules import upkeep_schedule
from wardround.demo.fhir_server.running import running_server
from wardround.demo.in_process import DagRunEnd, run_dag
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.report.history import STREAM
from wardround.settings import PROJECT, Settings

pytestmark = [
    pytest.mark.usefixtures("airflow_database"),
    # Airflow's in-process API imports starlette's test client, which warns because it prefers another HTTP library.
    pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient` is deprecated"),
]


def upkeep(settings: Settings, patch: pytest.MonkeyPatch, base_url: str) -> DagRunEnd:
    for name, value in local_environment(settings, settings.var / "airflow", base_url).items():
        if name.startswith(("WARDROUND_", "AIRFLOW_CONN_")):
            patch.setenv(name, value)
    return run_dag("stream_upkeep", PROJECT / "dags", AS_OF, {})


def test_it_screens_who_was_not_announced_and_ends_green(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(with_branches(settings, tmp_path / "home", ONE_BRANCH), stream=tmp_path / "stream.yaml")
    icu = Icu()
    icu.stay("a")
    source = {
        "fhir": "fhir_default",
        "time_zone": "UTC",
        "patients": [{"system": "urn:mrn", "namespace": "HOSP"}],
        "visits": {"system": "urn:visit", "namespace": "VISITS"},
        "units": ["MICU"],
    }
    settings.stream.write_text(yaml.safe_dump({"sources": {"main": source}}))
    with running_server() as server:
        icu.upload(server.base_url)
        end = upkeep(settings, monkeypatch, server.base_url)
        with FhirClient(FhirEndpoint(server.base_url)) as client:
            written = list(client.search("RiskAssessment", {}))
    with opened(settings.database) as database, database.reading() as connection:
        (hour,) = runs_in(connection, STREAM)
    assert hour.run == "stream-door-20260102T050000Z"
    assert (end.state, end.failed_tasks) == ("success", ())
    assert [one["encounter"]["reference"] for one in written] == ["Encounter/e-a"]


def test_without_settings_of_the_stream_it_has_no_schedule(settings: Settings, tmp_path: Path) -> None:
    assert upkeep_schedule(replace(settings, stream=tmp_path / "none.yaml")) is None
    (tmp_path / "some.yaml").touch()
    assert upkeep_schedule(replace(settings, stream=tmp_path / "some.yaml")) is not None
