"""The figures of a screening at a real collector: when they are sent, what they hold, what a bad collector costs."""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from tests.loopback import Line, serving
from tests.otlp_collector import Collector, collecting

from wardround.adapters import otlp
from wardround.report.gauges import AS_OF, BEFORE, DIFFERING, GAUGES, SET_ASIDE, STAYS, UNIT_STAYS, WRITTEN
from wardround.workflows.send_gauges import send_gauges

NAMES = ("Anders", "Bishop", "Clarke", "Dubois")


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture
def ward(icu: Any, server: str) -> Any:
    """Eleven stays in a large unit and three in a small one."""
    icu.resources += [{"resourceType": "Location", "id": name, "name": f"{name} unit"} for name in ("large", "small")]
    for number in range(14):
        place = "large" if number < 11 else "small"
        icu.stay(f"s{number}", location=[{"location": {"reference": f"Location/{place}"}}])
    icu.upload(server)
    return icu


def test_a_screening_sends_its_figures(ward, screened, settings, collector):
    summary = screened(installed=replace(settings, collector=collector.url))

    assert len(collector.requests) == 1
    # There is no run before, and every reading is sound.
    assert set(GAUGES) - {name for name, _, _ in collector.points} == {BEFORE, SET_ASIDE}
    labels = {"condition": "sepsis", "source": "unnamed", "mode": "live"}
    outcomes = {one["outcome"]: value for one, value in collector.of(STAYS)}
    assert outcomes == {name: summary[name] for name in ("scored", "indeterminate", "excluded", "failed")}
    assert outcomes["scored"] == 14
    assert collector.of(WRITTEN) == [(labels, 14)]
    assert {one["what"]: value for one, value in collector.of(DIFFERING)} == dict.fromkeys(
        ("missing", "duplicate", "different"), 0
    )
    assert collector.of(AS_OF) == [(labels, 1767330000)]


def test_a_small_unit_is_in_no_label_at_the_collector(ward, screened, settings, collector):
    screened(installed=replace(settings, collector=collector.url))

    assert {(one["unit"], one["outcome"]): value for one, value in collector.of(UNIT_STAYS)}["All units", "found"] == 14
    assert "large" not in str(collector.requests)
    assert "small" not in str(collector.requests)


def test_what_the_collector_is_told_of_itself_is_the_service_and_nothing_of_the_machine_or_the_task(
    ward, screened, settings, collector, monkeypatch
):
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=screen-icu-sepsis-publish-1")
    screened(installed=replace(settings, collector=collector.url))

    [[resource]] = [request.resource_metrics for request in collector.requests]
    assert [(one.key, one.value.string_value) for one in resource.resource.attributes] == [
        ("service.name", "wardround")
    ]
    assert socket.gethostname() not in str(collector.requests)


def test_headers_that_the_collector_wants_are_opentelemetrys_own_variable(
    ward, screened, settings, monkeypatch, collector
):
    seen = []

    def take(line: Line) -> None:
        seen.append(line.headers["authorization"])
        collector.take(line)

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20t0ken")
    with serving(take) as url:
        screened(installed=replace(settings, collector=url.removesuffix("/fhir")))
    assert seen == ["Bearer t0ken"]


def test_nothing_is_sent_without_a_collector_and_none_is_looked_for(ward, screened, settings, monkeypatch, collector):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    screened(installed=replace(settings, collector=None))
    assert collector.requests == []


def test_patients_requested_by_id_are_no_ward_and_are_not_told(ward, screened, settings, collector):
    summary = screened(installed=replace(settings, collector=collector.url), cohort="patients:p-s1")
    assert summary["scored"] == 1
    assert collector.requests == []


def test_a_shadow_run_says_that_it_is_one(ward, screened, settings, collector):
    screened(installed=replace(settings, collector=collector.url), mode="shadow")
    assert {labels["mode"] for _, labels, _ in collector.points} == {"shadow"}


def test_what_the_server_does_not_hold_is_told(ward, screened, settings, collector, transport):
    transport.rewrite = lambda body: body.replace('"probabilityDecimal":', '"probabilityDecimal":0.0001,"x":')
    screened(installed=replace(settings, collector=collector.url))
    assert {one["what"]: value for one, value in collector.of(DIFFERING)}["different"] == 14


def refusing(collector: Collector) -> Iterator[str]:
    collector.status = 403
    yield collector.url


def absent(_: Collector) -> Iterator[str]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


def trickling(_: Collector) -> Iterator[str]:
    """A collector whose answer, sound in the end, comes byte by byte: the exporter's own limit does not end that."""
    over = threading.Event()

    def trickle(line: Line) -> None:
        line.send_response(200)
        line.send_header("Content-Length", "200")
        line.end_headers()
        for _ in range(200):
            over.wait(0.1)
            line.write(b"x")

    with serving(trickle) as url:
        yield url.removesuffix("/fhir")
        over.set()


def senseless(_: Collector) -> Iterator[str]:
    yield "collector:4317"


@pytest.mark.parametrize("bad", [refusing, absent, trickling, senseless])
def test_a_collector_that_does_not_take_them_costs_a_line_in_the_log_and_nothing_else(
    ward, screened, settings, collector, caplog, monkeypatch, bad
):
    monkeypatch.setattr(otlp, "SECONDS", 1.0)
    caplog.set_level(logging.WARNING)
    place = bad(collector)

    summary = screened(installed=replace(settings, collector=next(place)))

    assert (summary["complete"], summary["written"]) == (True, 14)
    said = [record.getMessage() for record in caplog.records if record.name == "wardround.workflows.send_gauges"]
    assert [line.partition(": ")[2].partition(": ")[0] for line in said] == ["its figures are missing at the collector"]
    next(place, None)


def test_a_fault_of_our_own_costs_a_line_in_the_log_and_nothing_else(settings, collector, caplog):
    send_gauges("sepsis-20260102T050000Z-abcdef", replace(settings, collector=collector.url))
    assert "its figures are missing at the collector: RunNotFound" in caplog.text
