"""Runs both DAGs in one process against the embedded server, with a small simulated ward."""

import json
import logging
import os
import shutil
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest

from wardround.adapters.files.run_folder import RunFolder, run_id
from wardround.adapters.models.store import ModelStore
from wardround.airflow.environment import local_environment
from wardround.core.run_summary import COUNTS
from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import running_server
from wardround.demo.in_process import run_dag
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.settings import PROJECT, settings_from
from wardround.spec.loading import load_condition

pytestmark = [
    pytest.mark.usefixtures("airflow_database"),
    # Airflow's in-process API imports starlette's test client, which warns because it prefers another HTTP library.
    pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient` is deprecated"),
]

DAG = "screen_icu__sepsis"


class Hospital:
    """A FHIR server with a ward in it, and the settings that the DAGs find in the environment."""

    def __init__(self, server, settings, now):
        self.server = server
        self.settings = settings
        self.now = now

    def screen(self, hours=0, **conf):
        """Runs the DAG `hours` after the ward's time: each test has its own time, and thus its own DAG run."""
        as_of = self.now + pd.Timedelta(hours=hours)
        end = run_dag(DAG, PROJECT / "dags", as_of.to_pydatetime(), conf)
        return end, RunFolder.of(self.settings.runs, run_id("sepsis", as_of, end.run_id))

    def held(self, resource_type="RiskAssessment"):
        with FhirClient(FhirEndpoint(self.server.base_url)) as client:
            return {resource["id"]: resource for resource in client.search(resource_type, {})}

    def put(self, resources):
        entries = [
            {"resource": resource, "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}}
            for resource in resources
        ]
        with FhirClient(FhirEndpoint(self.server.base_url)) as client:
            assert {entry["response"]["status"][:3] for entry in client.batch(entries)} == {"200"}


@pytest.fixture(scope="module")
def hospital(simulated_ward, trained_models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hospital")
    settings = replace(settings_from(), var=folder, runs=str(folder / "runs"), models=trained_models)
    with pytest.MonkeyPatch.context() as patch, running_server(data=simulated_ward.fhir) as server:
        for name, value in local_environment(settings, folder / "airflow", server.base_url).items():
            # Airflow's own settings were read when it was imported, and do not change.
            if name.startswith(("WARDROUND_", "AIRFLOW_CONN_")):
                patch.setenv(name, value)
        yield Hospital(server, settings, simulated_ward.now)


@pytest.fixture(scope="module")
def screened(hospital):
    """The first screening: how it ended, and its folder."""
    return hospital.screen()


def test_a_screening_writes_one_risk_assessment_per_scored_stay(hospital, screened):
    end, folder = screened

    summary = folder.read_json("summary.json")
    assert (end.state, end.failed_tasks) == ("success", ())
    assert summary["found"] == sum(summary[name] for name in ("scored", "indeterminate", "excluded", "failed"))
    assert 0 < summary["scored"] == summary["written"] == len(hospital.held())
    assert folder.exists("report.html")


def test_screening_the_same_time_again_changes_nothing_on_the_server(hospital, screened):
    before = hospital.held()
    provenance = hospital.held("Provenance")

    end, _ = hospital.screen()

    assert end.state == "success"
    assert hospital.held() == before
    assert hospital.held("Provenance") == provenance


def test_up_to_32_stays_each_have_a_task_that_shows_its_chunk(screened):
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    end, folder = screened
    chunks = folder.read_json("chunks.json")["chunks"]
    with create_session() as session:
        for task in ("extract", "score", "publish"):
            instances = session.query(TaskInstance).filter_by(dag_id=DAG, run_id=end.run_id, task_id=task)
            labels = {instance.map_index: instance.rendered_map_index for instance in instances}
            assert labels == {index: f"chunk {chunk}" for index, chunk in enumerate(chunks)}


def test_shadow_mode_scores_and_reports_and_writes_nothing(hospital):
    before = hospital.held()

    end, folder = hospital.screen(hours=1, mode="shadow")

    assert end.state == "success"
    assert folder.read_json("summary.json")["scored"] > 0
    assert folder.exists("report.html")
    assert hospital.held() == before


def test_a_run_without_a_scheduler_ends_as_it_would_without_a_deadline(hospital, monkeypatch):
    """Airflow's own `test` of a DAG with a deadline raises an error once all tasks have succeeded."""
    monkeypatch.setenv("WARDROUND_SCREENING_DEADLINE", "2h")

    end, folder = hospital.screen(hours=16, mode="shadow")

    assert (end.state, end.failed_tasks) == ("success", ())
    assert folder.exists("report.html")


def test_the_form_decides_look_back_and_chunk_size(hospital):
    end, folder = hospital.screen(hours=2, mode="shadow", chunk_size=3, look_back="1h")

    request = folder.read_json("request.json")
    assert end.state == "success"
    assert (request["look_back"], request["chunk_size"]) == ("1h", 3)
    assert len(folder.read_json("chunks.json")["chunks"]) == -(
        -folder.read_frame("stays.parquet")["chunk"].gt(0).sum() // 3
    )


def test_one_failed_chunk_is_reported_and_fails_the_run(hospital):
    refused = Fault(kind="status", status=403, path="/RiskAssessment/_search", times=1)
    hospital.server.misbehave(FaultPlan(faults=(refused,)))

    end, folder = hospital.screen(hours=3)

    summary = folder.read_json("summary.json")
    assert end.state == "failed"
    assert sum(task.startswith("publish") for task in end.failed_tasks) == 1
    assert summary["failed"] == 1
    assert summary["written"] == summary["scored"]
    assert folder.exists("report.html")


def test_a_quality_gate_that_stops_the_run_writes_nothing_and_reports(hospital):
    before = hospital.held()
    patients = hospital.held("Patient").values()
    # No feature row of a 150-year-old passes the suite.
    hospital.put({**patient, "birthDate": "1876-01-01"} for patient in patients)

    end, folder = hospital.screen(hours=4)

    hospital.put(patients)
    assert end.state == "failed"
    assert "check_quality" in end.failed_tasks
    assert hospital.held() == before
    assert folder.exists("report.html")


def test_an_empty_ward_is_reported_and_red_unless_its_census_is_accepted(hospital):
    end, folder = hospital.screen(hours=-24 * 400)
    accepted, _ = hospital.screen(hours=-24 * 400 - 1, accept_census=True)

    assert (end.state, end.failed_tasks, accepted.state) == ("failed", ("report",), "success")
    assert folder.read_json("summary.json")["found"] == 0
    assert folder.exists("report.html")


def test_a_server_that_refuses_fails_only_the_first_task(hospital):
    hospital.server.misbehave(FaultPlan(faults=(Fault(kind="status", status=401),)))

    end, _ = hospital.screen(hours=5)

    hospital.server.misbehave(FaultPlan())
    assert (end.state, end.failed_tasks) == ("failed", ("find_stays",))


def test_a_task_that_waits_for_its_source_gives_up_its_slot_and_loses_nothing(hospital, monkeypatch):
    """The server is down before the first request, and again while chunks are read."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.taskreschedule import TaskReschedule
    from airflow.utils.session import create_session

    connection = json.loads(os.environ["AIRFLOW_CONN_FHIR_DEFAULT"])
    impatient = {**connection, "extra": {**connection.get("extra", {}), "retries": 1}}
    monkeypatch.setenv("AIRFLOW_CONN_FHIR_DEFAULT", json.dumps(impatient))
    monkeypatch.setattr("wardround.airflow.screening_tasks.LOOK_AGAIN", timedelta(seconds=1))
    # A request, its one repetition, and the check whether the server is down. Finding the stays takes five: what the
    # server is, whether it takes results, searches by date and by status, and the Encounters of the hospital stays.
    outages = Fault(kind="drop", times=3), Fault(kind="drop", skip=5, times=3)
    hospital.server.misbehave(FaultPlan(faults=outages))

    # Run in a process of its own, a DAG run starts, according to Airflow, at its logical date.
    end, folder = hospital.screen(hours=6, wait_for_source="10000d")

    hospital.server.misbehave(FaultPlan())
    summary = folder.read_json("summary.json")
    assert (end.state, summary["failed"]) == ("success", 0)
    assert 0 < summary["scored"] == summary["written"]
    with create_session() as session:
        waited = session.query(TaskInstance.task_id).join(TaskReschedule, TaskReschedule.ti_id == TaskInstance.id)
        assert sorted(row[0] for row in waited.filter(TaskInstance.run_id == end.run_id)) == ["extract", "find_stays"]


def test_xcom_contains_only_references(hospital, screened):
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    end, folder = screened
    with create_session() as session:
        kept = {
            (row.task_id, row.key): XComModel.deserialize_value(row)
            for row in session.query(XComModel).filter_by(dag_id=DAG, run_id=end.run_id)
        }
    assert kept == {
        ("find_stays", "run"): folder.read_json("summary.json")["run"],
        ("find_stays", "opened"): {
            **folder.read_json("opened.json"),
            "runs": hospital.settings.runs,
            "models": str(hospital.settings.models),
            "condition": "sepsis",
            "decisions": ModelStore(hospital.settings.models).head("sepsis"),
        },
        ("find_stays", "return_value"): folder.read_json("chunks.json")["chunks"],
        ("report", "report"): folder.location("report.html"),
        ("report", "counts"): {name: folder.read_json("summary.json")[name] for name in COUNTS},
    }


def test_a_suspended_condition_fails_at_the_first_task_until_the_same_form_resumes_it(
    hospital, trained_models, monkeypatch, tmp_path
):
    shutil.copytree(trained_models, tmp_path / "models")
    monkeypatch.setenv("WARDROUND_MODELS", str(tmp_path / "models"))
    before = hospital.held()

    off = run_dag("suspend__sepsis", PROJECT / "dags", hospital.now, {"why": "alerts for everybody"})
    screened, _ = hospital.screen(hours=7)
    quiet, folder = hospital.screen(hours=8, mode="shadow")

    decision = ModelStore(tmp_path / "models").standing("sepsis").suspended
    assert (off.state, decision.why) == ("success", "alerts for everybody")
    assert (screened.state, screened.failed_tasks) == ("failed", ("find_stays",))
    assert tries(screened, "find_stays") == 1
    assert quiet.state == "success"
    assert "Suspended condition" in folder.read_text("report.html")
    assert hospital.held() == before

    back = run_dag("suspend__sepsis", PROJECT / "dags", hospital.now, {"action": "resume", "why": "mended"})
    again, _ = hospital.screen(hours=7)

    assert (back.state, again.state) == ("success", "success")
    assert hospital.held() != before


def test_a_scheduled_screening_scores_the_challenger_too_and_writes_nothing_of_it(
    hospital, trained_models, monkeypatch, tmp_path
):
    shutil.copytree(trained_models, tmp_path / "models")
    monkeypatch.setenv("WARDROUND_MODELS", str(tmp_path / "models"))
    store = ModelStore(tmp_path / "models")
    live = store.live_version("sepsis")
    other = store.card("sepsis", live).model_copy(update={"version": "2.0.0-other"})
    files = {name: (tmp_path / "models" / "sepsis" / live / name).read_bytes() for name in other.files}
    store.save("sepsis", other, files)
    store.challenge(load_condition("sepsis", hospital.settings.schemas), "2.0.0-other", "ann", "is it better?")

    end, folder = hospital.screen(hours=9)

    summary, ledger = folder.read_json("summary.json"), folder.read_frame("ledger.parquet")
    assert (end.state, summary["written"]) == ("success", summary["scored"])
    assert summary["challenger"]["version"] == "2.0.0-other"
    assert summary["challenger"]["compared"] == summary["challenger"]["same_band"] == summary["scored"] > 0
    assert ledger["challenger_score"].equals(ledger["score"].rename("challenger_score"))
    assert "2.0.0-other" not in json.dumps(list(hospital.held().values()))


def tries(end, task_id):
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        return session.query(TaskInstance.try_number).filter_by(run_id=end.run_id, task_id=task_id).scalar()


class Answering(logging.Handler):
    """Somebody who answers the question of the DAG run in this process, as the route of Airflow's API does it.

    When the run says that it waits, and in its own thread: an answer before that would be overwritten.
    """

    def __init__(self, dag_id, option, why):
        super().__init__()
        self.dag_id, self.option, self.why = dag_id, option, why

    def emit(self, record):
        if not record.getMessage().startswith("Waiting for Human-in-the-loop input"):
            return
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
        from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
        from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session

        given = UpdateHITLDetailPayload(chosen_options=[self.option], params_input={"why": self.why})
        user = SimpleAuthManagerUser(username="dr-ann", role="admin")
        with create_session(scoped=False) as session:
            task = session.query(TaskInstance).filter_by(dag_id=self.dag_id, state="awaiting_input").one()
            update_hitl_detail(self.dag_id, task.run_id, task.task_id, given, user, session)


@contextmanager
def answering(dag_id, option, why):
    """Answers while a DAG run may ask."""
    log, answerer = logging.getLogger("airflow.sdk.definitions.dag"), Answering(dag_id, option, why)
    level = log.level
    log.setLevel(logging.INFO)
    log.addHandler(answerer)
    try:
        yield
    finally:
        log.removeHandler(answerer)
        log.setLevel(level)


def test_the_first_model_goes_live_unasked_the_next_when_approved_each_with_an_event_of_its_asset(
    hospital, simulated_ward, monkeypatch, tmp_path
):
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session

    monkeypatch.setenv("WARDROUND_MODELS", str(tmp_path))
    store = ModelStore(tmp_path)
    form = {"mimic": str(simulated_ward.mimic), "candidates": ["logistic_regression"], "budget": 1}

    first = run_dag("train__sepsis", PROJECT / "dags", hospital.now, form)
    unasked = store.live("sepsis")
    with answering("train__sepsis", "Approve", "better on our patients"):
        again = run_dag("train__sepsis", PROJECT / "dags", hospital.now, {**form, "seed": 2})

    approved = store.live("sepsis")
    assert (first.state, again.state) == ("success", "success")
    assert unasked.why == "first model of the condition; no gate could judge it"
    assert (approved.previous, approved.by, approved.why) == (unasked.version, "dr-ann", "better on our patients")
    with create_session() as session:
        asset = session.query(AssetModel).filter_by(name="live_model__sepsis").one()
        events = session.query(AssetEvent).filter_by(asset_id=asset.id).order_by(AssetEvent.id).all()
    assert [event.extra for event in events] == [
        {"version": unasked.version, "previous": None},
        {"version": approved.version, "previous": unasked.version},
    ]
