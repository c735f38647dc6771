"""Tests one condition at two FHIR servers, whose different patients and stays have the same ids."""

import json
import shutil
from contextlib import ExitStack, suppress
from dataclasses import replace

import pandas as pd
import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.airflow.environment import local_environment
from wardround.airflow.sources import run_key
from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import running_server
from wardround.demo.in_process import run_dag
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.results.risk_assessment import IDENTIFIER_SYSTEM
from wardround.settings import PROJECT, settings_from
from wardround.workflows.run_list import has_key, run_names

pytestmark = [
    pytest.mark.usefixtures("airflow_database"),
    # Airflow's in-process API imports starlette's test client, which asks for another HTTP library than Airflow's.
    pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient` is deprecated"),
]

NORTH, SOUTH = "screen_icu__sepsis", "screen_icu__sepsis__south"
LEFT_IN_SOUTH = 2


class Trust:
    """Two hospitals, each with its own server, and the settings that the DAGs find in the environment."""

    def __init__(self, servers, settings, now):
        self.servers = servers
        self.settings = settings
        self.now = now

    def screen(self, dag_id, hours=0, **conf):
        as_of = self.now + pd.Timedelta(hours=hours)
        end = run_dag(dag_id, self.settings.home / "dags", as_of.to_pydatetime(), {"chunk_size": 20, **conf})
        (name,) = [name for name in run_names(self.settings) if has_key(name, run_key(dag_id, end.run_id))]
        return end, RunFolder.of(self.settings.runs, str(name))

    def held(self, source, resource_type="RiskAssessment"):
        with FhirClient(FhirEndpoint(self.servers[source].base_url)) as client:
            return list(client.search(resource_type, {}))


def identifiers(assessments):
    return {one["value"] for held in assessments for one in held["identifier"] if one["system"] == IDENTIFIER_SYSTEM}


def connection(server):
    return json.dumps({"conn_type": "fhir", "host": server.base_url})


@pytest.fixture(scope="module")
def trust(simulated_ward, trained_models, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(PROJECT / "include" / "schemas", home / "include" / "schemas")
    shutil.copytree(PROJECT / "dags", home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    with (home / "include" / "schemas" / "conditions" / "sepsis.yaml").open("a") as file:
        file.write("sources: [north, south]\n")
    folder = tmp_path_factory.mktemp("trust")
    settings = replace(settings_from(), home=home, var=folder, runs=str(folder / "runs"), models=trained_models)
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        servers = {name: stack.enter_context(running_server(data=simulated_ward.fhir)) for name in ("north", "south")}
        for name, value in local_environment(settings, folder / "airflow", "http://127.0.0.1:9").items():
            if name.startswith("WARDROUND_"):
                patch.setenv(name, value)
        for name, server in servers.items():
            patch.setenv(f"AIRFLOW_CONN_{name.upper()}", connection(server))
        leave_few(servers["south"])
        forget_dags()
        yield Trust(servers, settings, simulated_ward.now)
    forget_dags()


def forget_dags():
    """Removes these DAGs, since other tests run the project's DAGs of the same names in the same database."""
    from airflow.api.common.delete_dag import delete_dag
    from airflow.exceptions import DagNotFound

    for dag_id in (NORTH, SOUTH, "suspend__sepsis"):
        with suppress(DagNotFound):
            delete_dag(dag_id)


def leave_few(server):
    """Removes all but two of the open stays from a server, and changes its patients' ages."""
    with FhirClient(FhirEndpoint(server.base_url)) as client:
        staying = [one["id"] for one in client.search("Encounter", {"class": "ACUTE", "status": "in-progress"})]
        gone = [{"request": {"method": "DELETE", "url": f"Encounter/{key}"}} for key in staying[LEFT_IN_SOUTH:]]
        older = [
            {
                "resource": {**patient, "birthDate": "1930-01-01"},
                "request": {"method": "PUT", "url": f"Patient/{patient['id']}"},
            }
            for patient in client.search("Patient", {})
        ]
        client.batch([*gone, *older])


@pytest.fixture(scope="module")
def screened(trust):
    """Screens both sources at one time: how each run ended, and its folder."""
    return {"north": trust.screen(NORTH), "south": trust.screen(SOUTH)}


def test_each_source_has_its_own_dag_pool_and_connection(trust):
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(trust.settings.home / "dags")

    assert bag.import_errors == {}
    assert {name for name in bag.dags if name.startswith("screen_icu")} == {NORTH, SOUTH, "screen_icu__mortality"}
    of_source = {name: bag.dags[name] for name in (NORTH, SOUTH)}
    pools = {name: {task.pool for task in dag.tasks} - {"default_pool"} for name, dag in of_source.items()}
    assert pools == {NORTH: {"north"}, SOUTH: {"south"}}
    assert {name: dag.params["connection"] for name, dag in of_source.items()} == {NORTH: "north", SOUTH: "south"}
    assert [dag.dag_display_name for dag in of_source.values()] == [
        "Screen: Sepsis at north",
        "Screen: Sepsis at south",
    ]


def test_pools_of_all_sources_are_created(trust):
    from airflow.models.pool import Pool

    from wardround.airflow.pools import create_missing_pools

    create_missing_pools()

    assert {pool.pool for pool in Pool.get_pools()} >= {"fhir_default", "north", "south"}


def test_stays_with_the_same_id_at_two_sources_are_never_confused(trust, screened):
    (north_end, north), (south_end, south) = screened["north"], screened["south"]

    assert north_end.run_id == south_end.run_id, "what Airflow calls them does not tell them apart"
    assert north.url != south.url
    assert (north_end.state, south_end.state) == ("success", "success")
    of_north, of_south = trust.held("north"), trust.held("south")
    assert len(of_north) == north.read_json("summary.json")["written"] > LEFT_IN_SOUTH
    assert 0 < len(of_south) == south.read_json("summary.json")["written"] <= LEFT_IN_SOUTH
    assert {one["encounter"]["reference"] for one in of_south} < {one["encounter"]["reference"] for one in of_north}
    assert len(identifiers(of_north) | identifiers(of_south)) == len(of_north) + len(of_south)


def test_the_census_of_a_source_is_compared_only_with_its_own_earlier_runs(trust, screened):
    counts = {source: folder.read_json("summary.json")["found"] for source, (_, folder) in screened.items()}

    later = {"south": trust.screen(SOUTH, hours=1), "north": trust.screen(NORTH, hours=1)}

    for source, (end, folder) in later.items():
        census = folder.read_json("census.json")
        assert (end.state, census["doubt"], census["before"]["found"]) == ("success", "", counts[source])
    assert counts["north"] - counts["south"] > max(5, counts["north"] / 2), "a fall that would be in doubt"


def test_a_source_that_refuses_does_not_hide_the_other(trust):
    trust.servers["south"].misbehave(FaultPlan(faults=(Fault(kind="status", status=401),)))

    (refused, _), (other, _) = trust.screen(SOUTH, hours=2), trust.screen(NORTH, hours=2)

    trust.servers["south"].misbehave(FaultPlan())
    assert (refused.state, refused.failed_tasks, other.state) == ("failed", ("find_stays",), "success")


def test_a_run_is_not_opened_again_for_another_source(trust, monkeypatch):
    """This happens if the order of a condition's sources is changed, and an earlier run is cleared."""
    _, before = trust.screen(NORTH, hours=3)
    kept = {name: before.read_bytes(name) for name in before.list()}

    end, after = trust.screen(NORTH, hours=3, connection="south")

    assert (end.state, end.failed_tasks) == ("failed", ("find_stays",))
    assert {name: after.read_bytes(name) for name in after.list()} == kept


def test_suspending_a_condition_suspends_all_its_sources(trust, trained_models, monkeypatch, tmp_path):
    shutil.copytree(trained_models, tmp_path / "models")
    monkeypatch.setenv("WARDROUND_MODELS", str(tmp_path / "models"))
    run_dag("suspend__sepsis", trust.settings.home / "dags", trust.now, {"why": "alerts for everybody"})

    ends = [
        run_dag(dag_id, trust.settings.home / "dags", (trust.now + pd.Timedelta(hours=4)).to_pydatetime(), {})
        for dag_id in (NORTH, SOUTH)
    ]

    assert [end.failed_tasks for end in ends] == [("find_stays",)] * 2


def test_runs_of_all_sources_are_in_one_list(trust, screened):
    from wardround.workflows.run_list import overviews

    listed = {one.run: one.source for one in overviews(run_names(trust.settings), trust.settings)}

    for source, (_, folder) in screened.items():
        assert listed[folder.read_json("summary.json")["run"]] == source
