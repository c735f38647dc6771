"""Screening from a Bulk Data export: the same scores as from searches, whatever happens on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from wardround.adapters.files.run_folder import RunFolder
from wardround.core import run_files
from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.errors import FhirError, FhirUnreachable
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.patience import Patience
from wardround.workflows.screen import Means, ScreeningRequest, find_stays, open_run, resume, screen

GROUP = {
    "resourceType": "Group",
    "id": "some",
    "type": "person",
    "actual": True,
    "member": [{"entity": {"reference": f"Patient/p-{name}"}} for name in ("s0", "s3", "idle")],
}


@pytest.fixture
def ward(icu, server) -> Any:
    """Stays of every outcome, some of them in a named unit, and one patient without a stay."""
    icu.resources.append({"resourceType": "Location", "id": "micu", "name": "Medical ICU"})
    for place in range(6):
        icu.stay(f"s{place}", lactate=0.5 + place, location=[{"location": {"reference": "Location/micu"}}])
    icu.stay("again", patient="s1")
    icu.stay("unknown", lactate=None, vitals=False)
    icu.stay("left", period={"start": "2026-01-01T01:00:00Z", "end": "2026-01-01T22:00:00Z"}, status="finished")
    icu.stay("nobody", subject={"display": "no reference"})
    icu.resources.append({"resourceType": "Patient", "id": "p-idle"})
    icu.resources.append(GROUP)
    icu.upload(server)
    return icu


def ledger(summary: dict[str, Any], settings: Any) -> Any:
    return RunFolder.existing(settings.runs, summary["run"]).read_frame("ledger.parquet")


def exporting(server: str, **changes: Any) -> ScreeningRequest:
    asked = {"condition": "sepsis", "source_url": server, "as_of": "2026-01-02T05:00:00Z", "cohort": "export"}
    return ScreeningRequest.model_validate({**asked, **changes})


class Killed(BaseException):
    """The end of a process."""


@pytest.fixture
def environment(settings) -> dict[str, str]:
    places = {"HOME": settings.home, "VAR": settings.var, "RUNS": settings.runs, "MODELS": settings.models}
    return {**os.environ, **{f"WARDROUND_{name}": str(place) for name, place in places.items()}}


def misbehave(server: str, *faults: Fault) -> None:
    plan = FaultPlan(faults=faults).model_dump_json()
    requests.post(server.replace("/fhir", "/_faults"), data=plan, timeout=60).raise_for_status()


@pytest.fixture(autouse=True)
def well_behaved(server):
    yield
    misbehave(server)


@pytest.mark.parametrize("chunk_size", [None, 3])
def test_an_export_gives_the_scores_and_the_ledger_that_searches_give(
    ward, screened, settings, held, chunk_size
) -> None:
    searched = screened(chunk_size=chunk_size)
    risks = held("RiskAssessment")
    exported = screened(cohort="export", chunk_size=chunk_size)
    assert ledger(searched, settings).equals(ledger(exported, settings))
    assert (exported["unchanged"], exported["cohort"]) == (searched["written"], "export")
    assert held("RiskAssessment") == risks


def test_an_export_asks_no_more_for_observations_and_leaves_no_copy(ward, screened, settings, transport) -> None:
    summary = screened(cohort="export")
    assert not [path for path, _ in transport.sent if "Observation" in path and "$export" not in path]
    folder = RunFolder.existing(settings.runs, summary["run"])
    assert [name for name in folder.list() if name.endswith(".ndjson")] == []


def test_an_export_may_lie_in_object_storage(ward, server, settings, transport) -> None:
    elsewhere = replace(settings, runs="memory://runs")
    summary = screen(exporting(server), Means(FhirEndpoint(server), elsewhere, lambda *_: None, transport)).as_json()
    assert (summary["scored"], summary["failed"]) == (7, 0)


def test_the_server_keeps_no_export_that_was_read(ward, screened, transport, server) -> None:
    screened(cohort="export")
    (status,) = {path for path, _ in transport.sent if "$export-status" in path}
    assert requests.get(server.replace("/fhir", "") + status, timeout=60).status_code == 404


def test_a_groups_export_screens_its_members_and_counts_the_others(ward, screened, settings) -> None:
    summary = screened(cohort="export:some")
    frame = ledger(summary, settings)
    assert set(frame["patient_id"]) == {"p-s0", "p-s3"}
    assert set(frame["unit"]) == {"Medical ICU"}, "Locations are no part of a Group's export, and are asked for"
    assert (summary["cohort_patients"], summary["cohort_without_stay"]) == (3, 1)


def test_a_server_that_exports_everybody_for_a_group_screens_its_members_alone(
    ward, screened, settings, transport
) -> None:
    # A server that exports the system whatever Group it was asked for.
    sent = transport.send

    def everybody(request: Any, *args: Any, **kwargs: Any) -> Any:
        request.url = request.url.replace("/Group/some/$export", "/$export")
        return sent(request, *args, **kwargs)

    transport.send = everybody
    summary = screened(cohort="export:some")
    assert set(ledger(summary, settings)["patient_id"]) == {"p-s0", "p-s3"}
    assert (summary["found"], summary["cohort_patients"], summary["cohort_without_stay"]) == (2, 3, 1)


def test_icu_locations_are_found_by_name_in_an_export_too(ward, server, settings, transport) -> None:
    source = FhirEndpoint(server, icu_classes=(), icu_locations=("Medical ICU",))
    assert screen(exporting(server), Means(source, settings, lambda *_: None, transport)).as_json()["found"] == 6


def test_an_export_of_nothing_is_an_empty_ward(server, screened) -> None:
    assert screened(cohort="export")["found"] == 0


def test_an_export_goes_on_through_busy_answers_and_broken_files(ward, server, screened) -> None:
    misbehave(
        server,
        Fault(kind="status", status=503, retry_after=0, path="$export-status", times=2),
        Fault(kind="truncate", path="$export-files", times=3),
        Fault(kind="drop", path="$export-files", times=1),
    )
    summary = screened(cohort="export")
    assert (summary["scored"], summary["failed"]) == (7, 0)


def test_an_export_that_fails_fails_the_run_before_anything_is_written(ward, server, screened, held) -> None:
    misbehave(server, Fault(kind="status", status=500, path="$export-status"))
    with pytest.raises(FhirError, match="answered 500"):
        screened(cohort="export")
    assert held("RiskAssessment") == []


def test_an_export_that_never_ends_names_its_deadline(ward, server, settings, transport) -> None:
    run = open_run(exporting(server), settings)
    misbehave(server, Fault(kind="status", status=202, path="$export-status"))
    folder = RunFolder.existing(settings.runs, run)

    def begun_long_ago(_seconds: float) -> None:
        folder.write_json(run_files.EXPORT_STATE, {**folder.read_json(run_files.EXPORT_STATE), "began": 0})
        raise Killed

    with pytest.raises(Killed):
        resume(run, Means(FhirEndpoint(server), settings, lambda *_: None, transport, Patience(pause=begun_long_ago)))
    with pytest.raises(FhirUnreachable, match="was not ready within its deadline of 2h"):
        resume(run, Means(FhirEndpoint(server), settings, lambda *_: None, transport))


@pytest.mark.parametrize("path", ["$export-status", "$export-files"])
def test_a_run_killed_while_it_exports_goes_on_with_the_same_export(
    ward, server, settings, transport, environment, path: str
) -> None:
    run = open_run(exporting(server), settings)
    # From here on nothing is answered in time: the process waits for its end.
    misbehave(server, Fault(kind="delay", seconds=30, path=path))
    script = [sys.executable, "-m", "wardround", "screen", "--resume", run, "--source", server]
    process = subprocess.Popen(script, env=environment, stderr=subprocess.DEVNULL)
    state = Path(RunFolder.existing(settings.runs, run).location(run_files.EXPORT_STATE))
    while not (state.exists() and "status_url" in state.read_text()):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    begun = json.loads(state.read_text())["status_url"]
    misbehave(server)
    summary = resume(run, Means(FhirEndpoint(server), settings, lambda *_: None, transport)).as_json()
    assert summary["scored"] == 7
    assert not [sent for sent, _ in transport.sent if "/$export?" in sent], "no second export was begun"
    assert {path for path, _ in transport.sent if "$export-status" in path} == {begun.replace(server, "/fhir")}


def test_a_run_killed_when_the_export_was_read_and_removed_is_no_empty_ward(ward, server, settings, transport) -> None:
    """Just before it said which chunks there are, of which there were others then."""
    run = open_run(exporting(server, chunk_size=1), settings)
    means = Means(FhirEndpoint(server), settings, lambda *_: None, transport)
    with FhirClient(means.source) as client:
        find_stays(run, client, settings)
    folder = RunFolder.existing(settings.runs, run)
    folder.write_frame("chunk-0001/readings-0099.parquet", folder.read_frame("chunk-0002/readings-0000.parquet"))
    folder.remove("chunks.json")
    summary = resume(run, means).as_json()
    assert (summary["found"], summary["scored"], summary["failed"]) == (10, 7, 0)
    assert not folder.exists("chunk-0001/readings-0099.parquet")


def test_a_dag_run_that_is_cleared_keeps_its_export_only_while_it_is_under_way(
    ward, server, settings, screened
) -> None:
    request = exporting(server, run="sepsis-20260102T050000Z-aaaaaa")
    run = open_run(request, settings)
    folder = RunFolder.existing(settings.runs, run)
    folder.write_json(run_files.EXPORT_STATE, {"asked": "x"})
    open_run(request, settings)
    assert folder.exists(run_files.EXPORT_STATE)
    folder.write_json("chunks.json", {"chunks": []})
    open_run(request, settings)
    assert not folder.exists(run_files.EXPORT_STATE)


def test_what_lies_outside_the_window_is_counted(icu, server, screened, settings) -> None:
    icu.stay("a")
    icu.lactate("p-a", "old", 2.0, hours=30)
    icu.lactate("p-a", "late", 2.0, hours=-2)
    icu.upload(server)
    summary = screened(cohort="export")
    assert RunFolder.of(settings.runs, summary["run"]).read_json("outside_windows.json") == {"lactate": 2}
