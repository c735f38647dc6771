"""The deadline of a screening: which DAG has one, whom its callback tells, and what of a run it leaves out."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from tests.stream.receiver import receiving

from wardround.airflow import deadlines
from wardround.airflow.deadlines import screening_deadline, tell
from wardround.airflow.environment import local_environment
from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import running_server
from wardround.demo.standalone import free_port, running_standalone
from wardround.errors import SpecError, WardroundError
from wardround.settings import PROJECT, settings_from
from wardround.stream.channels.webhook import signature

VARIABLE = "WARDROUND_SCREENING_DEADLINE"
SECRET = "a secret of more than 24 bytes"
LATE = {
    "dag_run": {
        "dag_id": "screen_icu__sepsis",
        "dag_run_id": "manual__for-mrs-ZZTOPSECRET",
        "state": "running",
        "queued_at": "2026-01-02T05:00:00Z",
        "conf": {"cohort": "patients:ZZTOPSECRET"},
        "note": "ZZTOPSECRET",
    },
    "deadline": {"id": "0", "deadline_time": "2026-01-02T07:00:00Z"},
}
SCREENING = ("screen_icu__mortality", "screen_icu__sepsis")


def parsed():
    """Returns the DAGs as the dag-processor parses them now."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(PROJECT / "dags")
    assert bag.import_errors == {}
    return bag.dags


def test_without_the_setting_no_dag_has_a_deadline(airflow_database):
    assert [dag_id for dag_id, dag in parsed().items() if dag.deadline] == []


def test_with_the_setting_each_screening_has_one_and_no_other_dag(airflow_database, monkeypatch):
    from airflow.serialization.serialized_objects import DagSerialization

    monkeypatch.setenv(VARIABLE, "90m")
    with_deadline = {dag_id: dag.deadline for dag_id, dag in parsed().items() if dag.deadline}

    assert tuple(sorted(with_deadline)) == SCREENING
    for [alert] in with_deadline.values():
        assert (alert.interval, alert.callback.path) == (timedelta(minutes=90), "wardround.airflow.deadlines.tell")
    # What the scheduler reads names the callback, and nothing of the installation.
    dag = DagSerialization.to_dict(parsed()["screen_icu__sepsis"])["dag"]
    assert len(dag["deadline"]) == 1
    assert asyncio.iscoroutinefunction(tell)


def test_airflow_dags_test_has_none_because_nobody_would_notice_that_it_is_missed():
    settings = settings_from({VARIABLE: "90m"})

    assert screening_deadline(settings, ["airflow", "dags", "test", "screen_icu__sepsis"]) is None
    assert screening_deadline(settings, ["airflow", "dag-processor"]) is not None
    assert screening_deadline(settings, ["airflow", "dags", "list"]) is not None


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Gives the process settings of the stream with this webhook for alarms, if any."""

    def install(url: str | None) -> Path:
        file = tmp_path / "stream.yaml"
        (tmp_path / "secret").write_text(SECRET)
        file.write_text(yaml.safe_dump(stream_settings(url)))
        monkeypatch.setenv("WARDROUND_STREAM", str(file))
        return file

    return install


def stream_settings(url):
    one = {
        "fhir": "fhir_default",
        "time_zone": "UTC",
        "patients": [{"namespace": "HOSP", "system": "urn:oid:1.2.3"}],
        "visits": {"namespace": "VISITS", "system": "urn:oid:1.2.4"},
        "units": ["MICU"],
    }
    alarms = {"alarms": {"webhook": {"url": url, "secret_file": "secret"}}} if url else {}
    return {"sources": {"main": one}, **alarms}


def told(receiver):
    return [json.loads(one.body)["data"] for one in receiver.received]


def texts_of(receiver, alarm):
    return [each["text"] for each in told(receiver) if each["alarm"] == alarm]


def test_who_takes_alarms_of_the_stream_is_told_signed_which_dag_is_late(installed):
    with receiving() as receiver:
        installed(receiver.url)
        assert asyncio.run(tell(LATE)) == "sent"

    [request] = receiver.received
    headers = {name.lower(): value for name, value in request.headers.items()}
    signed = signature(SECRET.encode(), headers["webhook-id"], headers["webhook-timestamp"], request.body)
    assert headers["webhook-signature"] == signed
    [said] = told(receiver)
    assert (said["alarm"], said["state"]) == ("late:screen_icu__sepsis", "raised")
    assert "asked for at 2026-01-02T05:00:00Z has not ended in time (it is running)" in said["text"]


def test_a_run_that_failed_before_its_deadline_is_told_as_failed(installed):
    with receiving() as receiver:
        installed(receiver.url)
        asyncio.run(tell({**LATE, "dag_run": {**LATE["dag_run"], "state": "failed"}}))
    assert "has failed; look at the run in Airflow" in told(receiver)[0]["text"]


def test_nothing_that_somebody_wrote_into_a_run_is_told_or_logged(installed, caplog):
    with receiving() as receiver:
        installed(receiver.url)
        returned = asyncio.run(tell(LATE))
    everything = returned + caplog.text + "".join(f"{one.path}{one.headers}{one.body!r}" for one in receiver.received)
    assert "screen_icu__sepsis" in everything
    assert "ZZTOPSECRET" not in everything


@pytest.mark.parametrize("webhook", [False, True], ids=["no settings of the stream", "no webhook"])
def test_without_a_webhook_the_log_says_it(installed, monkeypatch, tmp_path, caplog, webhook):
    monkeypatch.setenv("WARDROUND_STREAM", str(tmp_path / "none.yaml"))
    if webhook:
        installed(None)

    assert asyncio.run(tell(LATE)).startswith("logged; ")
    assert "screen_icu__sepsis: the screening that was asked for" in caplog.text


def test_a_receiver_that_is_busy_is_tried_again(installed, monkeypatch):
    monkeypatch.setattr(deadlines, "PAUSE", timedelta(0))
    with receiving() as receiver:
        installed(receiver.url)
        receiver.answer(503, 500)
        assert asyncio.run(tell(LATE)) == "sent"
        assert len(receiver.received) == 3


def test_a_receiver_that_takes_nothing_makes_the_callback_fail(installed, monkeypatch):
    monkeypatch.setattr(deadlines, "PAUSE", timedelta(0))
    with receiving() as receiver:
        installed(receiver.url)
        receiver.answer(*[503] * deadlines.TRIES)
        with pytest.raises(WardroundError, match=r"did not take the alarm in 5 attempts") as failed:
            asyncio.run(tell(LATE))
    assert "ZZTOPSECRET" not in str(failed.value)
    assert len(receiver.received) == deadlines.TRIES


def test_settings_of_the_stream_that_cannot_be_read_make_the_callback_fail(installed):
    installed(None).write_text("sources: {}")
    with pytest.raises(SpecError):
        asyncio.run(tell(LATE))


@pytest.mark.long
def test_a_run_that_is_late_under_airflows_scheduler_is_told(simulated_ward, trained_models, tmp_path):
    """The FHIR server is down, and the run waits for it."""
    settings = replace(settings_from(), var=tmp_path, runs=str(tmp_path / "runs"), models=trained_models)
    settings = replace(settings, stream=tmp_path / "stream.yaml")
    (tmp_path / "secret").write_text(SECRET)
    with receiving() as receiver, running_server(data=simulated_ward.fhir) as server:
        settings.stream.write_text(yaml.safe_dump(stream_settings(receiver.url)))
        down = Fault(kind="status", status=503, path="/", times=100_000)
        server.misbehave(FaultPlan(faults=(down,)))
        variables = local_environment(settings, tmp_path / "airflow", server.base_url) | {VARIABLE: "1m"}
        with running_standalone(variables, free_port(), tmp_path / "airflow.log") as airflow:
            airflow.wait_until_ready()
            wait_until(airflow, lambda: airflow.api.knows("screen_icu__sepsis"))
            airflow.api.trigger("screen_icu__sepsis", {"as_of": simulated_ward.now.isoformat()})
            # Other conditions have scheduled runs of their own, which are late, too.
            wait_until(airflow, lambda: texts_of(receiver, "late:screen_icu__sepsis"))
    said = texts_of(receiver, "late:screen_icu__sepsis")[0]
    assert re.search(r"has not ended in time \(it is (running|queued)\)", said)


def wait_until(airflow, condition):
    """Waits until something is true for as long as Airflow runs."""
    ends = time.monotonic() + 900
    while not condition():
        airflow.check()
        assert time.monotonic() < ends, airflow.log.read_text()
        time.sleep(0.5)


@pytest.mark.long
def test_airflow_dags_test_runs_a_screening_to_its_end_with_the_setting_on(simulated_ward, trained_models, tmp_path):
    settings = replace(settings_from(), var=tmp_path, runs=str(tmp_path / "runs"), models=trained_models)
    with running_server(data=simulated_ward.fhir) as server:
        variables = local_environment(settings, tmp_path / "airflow", server.base_url) | {VARIABLE: "2h"}
        environment = {**os.environ, **variables}
        airflow = Path(sys.executable).parent / "airflow"
        at = simulated_ward.now.isoformat()
        for command in (["db", "migrate"], ["dags", "test", "screen_icu__sepsis", at, "--conf", '{"mode": "shadow"}']):
            done = subprocess.run([airflow, *command], env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    [run] = (tmp_path / "runs").iterdir()
    assert (run / "report.html").exists()
