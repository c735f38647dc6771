"""Tests the screening DAG with a source that takes no results: its connection names the server that does."""

import json

import pandas as pd
import pytest

from wardround.adapters.files.run_folder import RunFolder, run_id
from wardround.airflow.environment import local_environment
from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import running_server
from wardround.demo.in_process import run_dag
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.settings import PROJECT

pytestmark = [
    pytest.mark.usefixtures("airflow_database"),
    pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient` is deprecated"),
]
DAG = "screen_icu__sepsis"
STAYS = 3
NOW = pd.Timestamp("2026-01-02T05:00:00Z")
WRITES = ("PUT", "PATCH", "DELETE")


def connection(server, **extra):
    return json.dumps({"conn_type": "fhir", "host": server.base_url, "extra": extra})


@pytest.fixture
def servers(icu, settings, monkeypatch, tmp_path):
    """The source, with three stays and closed to writes, and the server that takes the results."""
    for name, value in local_environment(settings, tmp_path, "http://127.0.0.1:9").items():
        if name.startswith("WARDROUND_"):
            monkeypatch.setenv(name, value)
    with running_server() as source, running_server() as results:
        for number in range(STAYS):
            icu.stay(f"s{number}")
        icu.upload(source.base_url)
        source.misbehave(FaultPlan(faults=(Fault(kind="status", status=403, methods=WRITES),)))
        source.forget_requests()
        monkeypatch.setenv("AIRFLOW_CONN_FHIR_DEFAULT", connection(source, write_to="results", retries=1))
        monkeypatch.setenv("AIRFLOW_CONN_RESULTS", connection(results, retries=1))
        yield source, results


def screened(settings, hours=0, **conf):
    as_of = NOW + pd.Timedelta(hours=hours)
    end = run_dag(DAG, PROJECT / "dags", as_of.to_pydatetime(), conf)
    return end, RunFolder.of(settings.runs, run_id("sepsis", as_of, end.run_id))


def held(server):
    with FhirClient(FhirEndpoint(server.base_url)) as client:
        return {risk["id"]: risk for risk in client.search("RiskAssessment", {})}


def tried_to_write(server):
    return [kind for kind in server.requests() if not kind.startswith("GET ") and not kind.endswith("/_search")]


def test_the_dag_reads_one_server_and_writes_to_the_other_and_a_second_run_changes_nothing(servers, settings):
    source, results = servers

    end, folder = screened(settings)

    summary, written = folder.read_json("summary.json"), held(results)
    assert (end.state, summary["written"], len(written)) == ("success", STAYS, STAYS)
    assert (summary["source"], summary["results_at"]) == (source.base_url, results.base_url)
    assert folder.read_json("request.json")["write_to_name"] == "results"
    named = {risk["subject"]["identifier"]["value"] for risk in written.values()}
    assert named == {f"p-s{number}" for number in range(STAYS)}
    again, _ = screened(settings)
    assert (again.state, held(results)) == ("success", written)
    assert tried_to_write(source) == []


@pytest.mark.long
def test_the_dag_fails_early_if_the_other_server_is_down_and_continues_when_it_is_up(servers, settings):
    source, results = servers
    results.misbehave(FaultPlan(faults=(Fault(kind="status", status=503),)))

    end, _ = screened(settings, hours=1, wait_for_source=None)

    assert (end.state, held_nothing(results)) == ("failed", True)
    results.misbehave(FaultPlan())
    again, folder = screened(settings, hours=1)
    assert (again.state, folder.read_json("summary.json")["written"], len(held(results))) == ("success", STAYS, STAYS)
    assert tried_to_write(source) == []


def held_nothing(server):
    server.misbehave(FaultPlan())
    return held(server) == {}


def test_a_run_stops_if_its_connection_now_names_another_server(servers, settings, monkeypatch):
    from wardround.airflow.screening_tasks import reconcile
    from wardround.errors import FhirError

    source, results = servers
    end, folder = screened(settings, hours=2)
    run = folder.read_json("summary.json")["run"]
    monkeypatch.setenv("AIRFLOW_CONN_FHIR_DEFAULT", connection(source))

    with pytest.raises(FhirError, match=f"writes its results to {results.base_url}, got {source.base_url}"):
        reconcile(run, {"connection": "fhir_default", "wait_for_source": None}, None)

    assert end.state == "success"
