"""Tests training, approval, promotion, rollback and screening under Airflow's own scheduler, through its REST API."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from urllib.parse import quote

import pandas as pd
import psutil
import pytest
import requests

from wardround.adapters.files.run_folder import RunFolder
from wardround.adapters.models.store import ModelStore
from wardround.airflow.environment import local_environment
from wardround.demo.airflow_rest import FINISHED, PATIENCE
from wardround.demo.fhir_server.running import running_server
from wardround.demo.standalone import free_port, running_standalone
from wardround.errors import WardroundError
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.settings import settings_from

pytestmark = pytest.mark.slow

POLL_SECONDS = 0.5
WAIT = 480.0  # seconds; what takes longest takes half a minute on an idle machine
TRAIN, SCREEN, PROMOTE = "train__sepsis", "screen_icu__sepsis", "promote__sepsis"
# These tests do not need the best model.
QUICK = {"candidates": ["logistic_regression"], "budget": 1}


class Hospital:
    """A running Airflow with a ward to screen and CSVs to train on."""

    def __init__(self, airflow, server, settings, now):
        self.airflow = airflow
        self.api = airflow.api
        self.server = server
        self.settings = settings
        self.now = now
        self.store = ModelStore(settings.models)

    def wait_until(self, condition):
        """Waits until the condition returns something, and returns it."""
        deadline = time.monotonic() + WAIT
        while not (found := condition()):
            self.airflow.check()
            if time.monotonic() > deadline:
                log = self.airflow.log.read_text().splitlines()[-60:]
                pytest.fail("\n".join([f"still waited for after {WAIT:.0f} s", *self.unfinished(), *log]))
            time.sleep(POLL_SECONDS)
        return found

    def unfinished(self):
        """Returns a line for each task that has not succeeded, with its state."""
        instances = self.api.get("dags/~/dagRuns/~/taskInstances?limit=500")["task_instances"]
        told = ("dag_id", "dag_run_id", "task_id", "map_index", "try_number", "state")
        return [" ".join(str(task[name]) for name in told) for task in instances if task["state"] != "success"]

    def start(self, dag_id, conf):
        self.wait_until(lambda: self.api.knows(dag_id))
        return self.api.trigger(dag_id, conf)

    def finish(self, dag_id, run_id):
        """Waits for the end of the run, and returns the tasks that did not succeed."""
        self.wait_until(lambda: self.api.state(dag_id, run_id) in FINISHED)
        instances = self.api.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return [(task["task_id"], task["map_index"], task["state"]) for task in instances if task["state"] != "success"]

    def run(self, dag_id, conf):
        return self.finish(dag_id, self.start(dag_id, conf))

    def started_by_events(self, dag_id):
        return self.wait_until(lambda: self.api.get(f"dags/{dag_id}/dagRuns?run_type=asset_triggered")["dag_runs"])

    def log(self, dag_id, run_id, task=""):
        """Returns the lines of the logs of a DAG run, or of one of its tasks."""
        logs = (self.settings.var / "airflow" / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}").rglob("*.log")
        return [
            line for log in logs if not task or f"task_id={task}/" in str(log) for line in log.read_text().splitlines()
        ]

    def fetch(self, url):
        """Returns a page of Airflow, as its admin sees it."""
        with requests.Session() as session:
            session.trust_env = False
            return session.get(url, timeout=PATIENCE)

    def screening(self, run_id):
        """Returns the folder of a screening."""
        found = self.api.get(f"dags/{SCREEN}/dagRuns/{run_id}/taskInstances/find_stays/xcomEntries/run")
        return RunFolder.existing(self.settings.runs, found["value"])

    def open_question(self, run_id):
        """Returns the unanswered question of a training once it waits for the answer; None before that."""
        found = self.api.get(f"dags/{TRAIN}/dagRuns/{run_id}/hitlDetails?response_received=false")["hitl_details"]
        return next((each for each in found if self.is_noted(each["task_instance"])), None)

    def is_noted(self, task):
        """Whether a task waits, and the scheduler has taken note that its process ended for that.

        Airflow takes an answer that comes before for a crash, and asks again until no retry is left.
        """
        ended = rf"TaskInstance Finished: .*task_id={task['task_id']}, run_id={re.escape(task['dag_run_id'])}, .*"
        ended += rf"try_number={task['try_number']},"
        return task["state"] == "awaiting_input" and re.search(ended, self.airflow.log.read_text()) is not None

    def question(self, run_id):
        return self.wait_until(lambda: self.open_question(run_id))

    def answer(self, run_id, option, why):
        """Answers a training as often as it asks, and returns its tasks that did not succeed."""
        path = f"dags/{TRAIN}/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"

        def answered():
            if self.open_question(run_id):
                self.api.send("PATCH", path, {"chosen_options": [option], "params_input": {"why": why}})
            return self.api.state(TRAIN, run_id) in FINISHED

        self.wait_until(answered)
        return self.finish(TRAIN, run_id)

    def live(self):
        return self.store.live("sepsis")

    def last_decision(self):
        decision = self.store.decisions("sepsis")[-1]
        return decision.what, decision.version, decision.by, decision.why


@pytest.fixture(scope="module")
def hospital(simulated_ward, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hospital")
    settings = replace(settings_from(), var=folder, runs=str(folder / "runs"), models=folder / "models")
    with running_server(data=simulated_ward.fhir) as server:
        variables = local_environment(settings, folder / "airflow", server.base_url)
        variables |= {"MIMIC_CSV_PATH": str(simulated_ward.mimic)}
        with running_standalone(variables, free_port(), folder / "airflow.log") as airflow:
            airflow.wait_until_ready()
            yield Hospital(airflow, server, settings, simulated_ward.now)
    assert left_over(folder) == []


@pytest.fixture(scope="module")
def first(hospital):
    """The first model of the condition, which went live unasked."""
    assert hospital.run(TRAIN, QUICK) == []
    return hospital.live()


@pytest.fixture(scope="module")
def asked(hospital, first):
    """A training of another model, which is waiting for an answer."""
    run_id = hospital.start(TRAIN, {**QUICK, "seed": 2})
    return run_id, hospital.question(run_id)


@pytest.fixture(scope="module")
def rejected(hospital, asked):
    run_id, _ = asked
    return run_id, hospital.answer(run_id, "Reject", "too many alarms")


@pytest.fixture(scope="module")
def approved(hospital, rejected):
    """The same training, its question cleared and answered again."""
    run_id, _ = rejected
    again = {"dag_run_id": run_id, "task_ids": ["approve"], "include_downstream": True}
    hospital.api.send("POST", f"dags/{TRAIN}/clearTaskInstances", {**again, "only_failed": False, "dry_run": False})
    hospital.question(run_id)
    return hospital.answer(run_id, "Approve", "better on our patients")


def test_every_file_of_dags_is_imported(hospital):
    assert hospital.api.get("importErrors")["total_entries"] == 0


def test_the_test_button_of_a_connection_made_in_the_form_says_who_answers(hospital):
    """Both requests as the form of Airflow 3.3.2 sends them."""
    extra = {"auth": "none", "page_size": 50, "icu_classes": ["ACUTE"], "proxy": None}
    made = {"connection_id": "made", "conn_type": "fhir", "host": hospital.server.base_url, "extra": json.dumps(extra)}
    stored = hospital.api.send("POST", "connections", made)
    pressed = {name: stored[name] or "" for name in ("description", "host", "login", "password", "schema", "extra")}

    asked = {**pressed, "connection_id": "made", "conn_type": "fhir", "port": stored["port"] or 0}
    answer = hospital.api.send("POST", "connections/test", asked)

    assert answer == {"status": True, "message": "Wardround embedded FHIR server answered: FHIR 4.0.1"}


@pytest.fixture(scope="module")
def screened(hospital, first):
    """A screening by the scheduler: its id in Airflow, and its tasks that did not succeed."""
    run_id = hospital.start(SCREEN, {"as_of": hospital.now.isoformat()})
    return run_id, hospital.finish(SCREEN, run_id)


def test_the_scheduler_screens_with_the_model_that_it_trained(hospital, first, screened):
    run_id, not_successful = screened

    assert not_successful == []
    summary = hospital.screening(run_id).read_json("summary.json")
    with FhirClient(FhirEndpoint(hospital.server.base_url)) as client:
        held = list(client.search("RiskAssessment", {}))
    assert 0 < summary["scored"] == summary["written"] == len(held)
    assert summary["model_version"] == first.version


def test_one_patient_is_screened_on_request_and_the_result_is_read_as_documented(hospital, first, screened):
    with FhirClient(FhirEndpoint(hospital.server.base_url)) as client:
        patient = next(client.search("RiskAssessment", {}))["subject"]["reference"].removeprefix("Patient/")
    as_of = (hospital.now + pd.Timedelta(minutes=30)).isoformat().replace("+00:00", "Z")

    run_id = hospital.start(SCREEN, {"cohort": f"patients:{patient},nobody", "as_of": as_of})

    assert hospital.finish(SCREEN, run_id) == []
    given = hospital.api.get(f"dags/{SCREEN}/dagRuns/{run_id}/taskInstances/report/xcomEntries/counts")["value"]
    assert given["found"] == given["scored"] == given["written"] == given["unknown_patient"] == 1
    asked = {"patient": patient, "method": "urn:wardround:model|sepsis", "date": as_of}
    with requests.Session() as session:
        session.trust_env = False
        bundle = session.get(f"{hospital.server.base_url}/RiskAssessment", params=asked, timeout=90).json()
    (entry,) = bundle["entry"]
    assert entry["resource"]["occurrenceDateTime"] == as_of
    assert 0 < entry["resource"]["prediction"][0]["probabilityDecimal"] < 1
    assert patient not in "".join(hospital.log(SCREEN, run_id))


def test_a_name_in_place_of_an_id_starts_nothing(hospital, first):
    with pytest.raises(WardroundError, match="answered 400"):
        hospital.start(SCREEN, {"cohort": "patients:Ada Lovelace"})


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("find_stays", "find_stays: done in"),
        ("extract", "extract, chunk 1: done in"),
        ("check_quality", "check_quality: done in"),
        ("score", "score, chunk 1: done in"),
        ("publish", "publish, chunk 1: done in"),
        ("reconcile", "reconcile: done in"),
        ("report", ": found "),
    ],
)
def test_a_tasks_log_sums_up_its_work_and_links_to_the_runs_page(hospital, screened, task, said):
    run_id, _ = screened
    page = f"{hospital.api.base_url}/wardround/runs/{hospital.screening(run_id).url.rpartition('/')[2]}"
    last = [line for line in hospital.log(SCREEN, run_id, task) if said in line][-1]
    assert f"; report {page}" in last
    assert hospital.fetch(page).status_code == 200


@pytest.mark.parametrize(
    ("task", "said"),
    [
        *((task, ": done in") for task in ("load", "build_table", "fit_candidate", "evaluate")),
        *((task, ": done in") for task in ("check_leakage", "write_card", "compare")),
        ("approve", "approve: approval requested for"),
    ],
)
def test_a_trainings_log_links_to_the_page_with_its_card(hospital, asked, task, said):
    run_id, _ = asked
    page = f"{hospital.api.base_url}/wardround/runs/{trained_run(hospital, asked)}"
    last = [line for line in hospital.log(TRAIN, run_id, task) if said in line][-1]
    assert f"; report {page}" in last
    assert "card.html" in hospital.fetch(page).text


def test_the_tabs_of_a_screening_show_its_run(hospital, screened):
    run_id, _ = screened
    run = hospital.screening(run_id).url.rpartition("/")[2]
    views = {
        view["destination"]: view["href"]
        for plugin in hospital.api.get("plugins")["plugins"]
        for view in plugin["external_views"]
        if plugin["name"] == "wardround"
    }

    assert set(views) == {"nav", "dag", "dag_run"}
    for href in views.values():
        filled = href.replace("{DAG_ID}", SCREEN).replace("{RUN_ID}", quote(run_id, safe=""))
        assert run in hospital.fetch(f"{hospital.api.base_url}/{filled}").text


def test_a_new_live_model_is_screened_with_in_shadow_mode_at_once(hospital, first):
    (run,) = hospital.started_by_events(SCREEN)

    assert hospital.finish(SCREEN, run["dag_run_id"]) == []
    request = hospital.screening(run["dag_run_id"]).read_json("request.json")
    assert (request["mode"], run["logical_date"]) == ("shadow", None)
    assert pd.Timestamp(request["as_of"]) == pd.Timestamp(run["run_after"])
    # The live models that follow need no screening here.
    hospital.api.send("PATCH", f"dags/{SCREEN}?update_mask=is_paused", {"is_paused": True})


def test_the_question_compares_candidate_and_live_on_the_same_patients_without_patient_data(hospital, first, asked):
    _, question = asked

    versions = hospital.store.versions("sepsis")
    assert question["subject"] == f"Sepsis: may {versions[1]} go live?"
    assert f"Candidate `{versions[1]}`, live `{first.version}`." in question["body"]
    assert "| AUROC | " in question["body"]
    assert "not judged: too few to judge" in question["body"]
    assert question["options"] == ["Approve", "Reject"]
    table = RunFolder.existing(hospital.settings.runs, trained_run(hospital, asked)).read_frame("table.parquet")
    assert [one for one in {*table["stay_id"], *table["patient_id"]} if one in question["body"]] == []


def trained_run(hospital, asked):
    run_id, _ = asked
    found = hospital.api.get(f"dags/{TRAIN}/dagRuns/{run_id}/taskInstances/load/xcomEntries/return_value")
    return found["value"]


def test_a_rejection_is_recorded_and_leaves_the_live_model_unchanged(hospital, first, rejected):
    _, not_successful = rejected

    assert not_successful == [("promote", -1, "skipped")]
    decisions = [each for each in hospital.store.decisions("sepsis") if each.what == "rejected"]
    assert [(each.by, each.why, each.live) for each in decisions] == [("Anonymous", "too many alarms", first.version)]


def test_an_approval_makes_the_model_live_with_who_and_why(hospital, first, approved):
    live = hospital.live()

    assert approved == []
    assert (live.previous, live.by, live.why) == (first.version, "Anonymous", "better on our patients")
    assert live.version == hospital.store.versions("sepsis")[1]


def test_a_stored_model_is_promoted_and_rolled_back_through_the_api(hospital, first, approved):
    second = hospital.live().version

    assert hospital.run(PROMOTE, {"version": first.version, "why": "the old one after all"}) == []
    assert hospital.live().version == first.version
    assert hospital.last_decision() == ("promoted", first.version, "Anonymous", "the old one after all")

    assert hospital.run(PROMOTE, {"why": "no, the new one"}) == []
    assert hospital.live().version == second
    assert hospital.last_decision() == ("rolled_back", second, "Anonymous", "no, the new one")


def test_nothing_is_promoted_through_the_api_without_a_reason_or_if_its_file_was_changed(hospital, first, approved):
    before = hospital.live()
    with pytest.raises(WardroundError, match="answered 400"):
        hospital.start(PROMOTE, {"version": first.version})

    model = next((hospital.settings.models / "sepsis" / first.version).glob("model.*"))
    content = model.read_bytes()
    model.write_bytes(content + b" ")
    assert hospital.run(PROMOTE, {"version": first.version, "why": "a"}) == [("promote", -1, "failed")]
    model.write_bytes(content)
    assert hospital.live() == before


def test_an_event_of_drift_starts_a_training(hospital, approved):
    (drift,) = hospital.api.get("assets?name_pattern=drift__sepsis")["assets"]
    hospital.api.send("POST", "assets/events", {"asset_id": drift["id"], "extra": {"why": "calibration slipped"}})

    assert [run["dag_id"] for run in hospital.started_by_events(TRAIN)] == [TRAIN]


@pytest.mark.long
def test_stopping_wardround_up_leaves_no_process_behind(tmp_path):
    environment = {**os.environ, "WARDROUND_VAR": str(tmp_path)}
    for name in ("MIMIC_CSV_PATH", "WARDROUND_RUNS", "WARDROUND_MODELS"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "wardround", "up", "--stays", "20", "--port", str(free_port())]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as up:
        try:
            said = up.stdout.readline()
        finally:
            up.send_signal(signal.SIGTERM)
            up.communicate()

    assert said.startswith("Airflow "), said
    assert up.returncode == 0
    assert left_over(tmp_path) == []


def left_over(folder):
    """Returns the processes whose Airflow or whose data are in the folder."""
    return [process.info["cmdline"] for process in psutil.process_iter(["cmdline"]) if belongs(process, str(folder))]


def belongs(process, folder):
    try:
        words = [*process.cmdline(), process.environ().get("AIRFLOW_HOME", "")]
    except psutil.Error:
        return False
    return process.pid != os.getpid() and any(folder in word for word in words)
