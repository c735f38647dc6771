"""Tests that nothing of a patient is in logs, reasons, keys or URLs, whatever fails from the reading to the telling."""

import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select
from tests.fixtures.icu import AS_OF
from tests.stream.hospital import MRN, TOLD, Hospital
from tests.stream.receiver import Receiver

from wardround.adapters.database.tables import NOTIFICATION, STREAM_MESSAGE
from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import RunningServer
from wardround.spec.channels import Request
from wardround.stream.bodies import Number
from wardround.stream.channels.emr_field import EmrFieldChannel
from wardround.stream.channels.http import Sender
from wardround.stream.channels.webhook import WebhookChannel
from wardround.stream.metrics import Metrics
from wardround.stream.runner import Runner
from wardround.stream.stage import Stage, StageStopped
from wardround.stream.stage_metrics import StageMetrics

CANARY, VALUE = "canary", "7.654321"


@pytest.fixture
def ward(hospital_with: Callable[..., Hospital], receiver: Receiver) -> Hospital:
    hospital = hospital_with(TOLD)
    body = '{"visit": "$visit", "patient": "$patient", "p": $probability}'
    request = Request.model_validate({"url": receiver.url, "body": body})
    hospital.connect("ward", EmrFieldChannel(request, None, Sender()))
    hospital.ward.stay(CANARY, lactate=float(VALUE))
    hospital.upload()
    return hospital


def step(hospital: Hospital, stage: Stage, metrics: Metrics, after: timedelta = timedelta()) -> str:
    """Lets the stage work off what is due; returns why it stopped, if it did."""
    runner = Runner(stage, hospital.queue, StageMetrics(stage.name, metrics), clock=lambda: AS_OF + after)
    try:
        while runner.step():
            pass
    except StageStopped as stopped:
        return stopped.reason
    return ""


def said_by(hospital: Hospital) -> str:
    """All that the account of messages and the lock-outs hold, which people see."""
    with hospital.queue.database.reading() as connection:
        rows = [*connection.execute(select(STREAM_MESSAGE)), *connection.execute(select(NOTIFICATION))]
    return "\n".join(str(row).replace(f"key-{CANARY}", "") for row in rows)


@pytest.mark.parametrize(
    ("fault", "path"),
    [("status", "/Patient"), ("truncate", "/Observation"), ("drop", "/Encounter"), ("status", "/RiskAssessment")],
)
def test_a_server_that_fails_anywhere_brings_nothing_of_a_patient_to_light(
    ward: Hospital, server: RunningServer, caplog: pytest.LogCaptureFixture, fault: str, path: str
) -> None:
    caplog.set_level(logging.DEBUG)
    metrics = Metrics()
    ward.admit(CANARY)
    server.misbehave(FaultPlan(faults=(Fault(kind=fault, path=path, status=500, retry_after=0),)))  # type: ignore[arg-type]
    try:
        stopped = [step(ward, stage, metrics) for stage in (ward.query, ward.predict, ward.notify)]
    finally:
        server.misbehave(FaultPlan())

    shown = "\n".join([caplog.text, metrics.text(), said_by(ward), *stopped])
    assert CANARY not in shown
    assert VALUE not in shown


def test_what_cannot_be_decided_read_or_told_brings_nothing_of_a_patient_to_light(
    ward: Hospital, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    metrics = Metrics()
    receiver.answer(500, 403, 302)
    for number in range(3):
        ward.admit(CANARY, after=timedelta(hours=number))
    ward.admit(CANARY, patients=(Number(MRN, f"P-{CANARY}-unknown"),))
    for stage in (ward.query, ward.predict, ward.notify):
        step(ward, stage, metrics, after=timedelta(hours=2))
    ward.cancel(CANARY)
    step(ward, ward.notify, metrics, after=timedelta(hours=2))

    shown = "\n".join([caplog.text, metrics.text(), said_by(ward), *(one.path for one in receiver.received)])
    assert CANARY not in shown
    assert VALUE not in shown
    assert receiver.received


def test_nothing_of_a_channels_secret_is_in_what_python_prints_of_it(receiver: Receiver) -> None:
    channel = WebhookChannel(receiver.url, b"hidden secret", Sender())

    assert "hidden" not in repr(channel)
