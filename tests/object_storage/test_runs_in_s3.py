"""Tests that runs in S3 are as good as those in a folder, against moto's server."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import fsspec
import pandas as pd
import pytest
from tests.loopback import Forward, Line, gateway_before
from tests.object_storage.stays import STAYS

from wardround.adapters.files.run_folder import RunFolder, run_id, runs_in
from wardround.airflow.environment import local_environment
from wardround.demo.fhir_server.running import running_server
from wardround.demo.in_process import run_dag
from wardround.errors import RunNotFound, StorageError
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import PROJECT, Settings, settings_from
from wardround.workflows.run_list import run_names, sizes
from wardround.workflows.run_removal import remove_runs
from wardround.workflows.run_retention import is_in_use
from wardround.workflows.screen import Means, ScreeningRequest, screen

pytestmark = pytest.mark.long

AS_OF = "2026-01-02T05:00:00Z"
RUN = "sepsis-20260102T050000Z-0a1b2c"


def ledger_of(settings: Settings, server: str, cohort: str) -> pd.DataFrame:
    request = ScreeningRequest.model_validate(
        {"condition": "sepsis", "source_url": server, "as_of": AS_OF, "cohort": cohort, "mode": "shadow"}
    )
    summary = screen(request, Means(FhirEndpoint(server), settings, lambda *_: None)).as_json()
    return RunFolder.existing(settings.runs, summary["run"]).read_frame("ledger.parquet")


@pytest.mark.parametrize("cohort", ["search", "export"])
def test_a_run_in_s3_has_the_ledger_of_a_run_in_a_folder(cohort, server, settings, bucket) -> None:
    in_folder, in_s3 = ledger_of(settings, server, cohort), ledger_of(replace(settings, runs=bucket), server, cohort)
    assert len(in_folder) == STAYS
    assert in_s3.equals(in_folder)
    (run,) = runs_in(bucket)
    assert not [name for name in RunFolder.of(bucket, run).list() if ".part-" in name or name.startswith("export/")]


@pytest.mark.usefixtures("airflow_database")
@pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient` is deprecated")
def test_a_dag_run_writes_one_risk_assessment_per_scored_stay(
    simulated_ward, trained_models, bucket, tmp_path, monkeypatch
) -> None:
    settings = replace(settings_from(), var=tmp_path, runs=f"{bucket}/runs", models=trained_models)
    with running_server(data=simulated_ward.fhir) as running:
        for name, value in local_environment(settings, tmp_path / "airflow", running.base_url).items():
            if name.startswith(("WARDROUND_", "AIRFLOW_CONN_")):
                monkeypatch.setenv(name, value)
        end = run_dag("screen_icu__sepsis", PROJECT / "dags", simulated_ward.now.to_pydatetime(), {})
        with FhirClient(FhirEndpoint(running.base_url)) as client:
            written = sum(1 for _ in client.search("RiskAssessment", {}))
    assert end.state == "success"
    folder = RunFolder.of(settings.runs, run_id("sepsis", simulated_ward.now, end.run_id))
    summary = folder.read_json("summary.json")
    assert (summary["failed"], summary["written"]) == (0, written)
    assert 0 < written == summary["scored"]
    assert folder.location("report.html").startswith(f"{bucket}/runs/sepsis-")


@pytest.mark.parametrize("last", [3, 6, 9])
def test_a_run_in_s3_whose_process_was_killed_is_resumed_and_writes_each_stay_once(
    last, server, settings, bucket
) -> None:
    places = {"HOME": settings.home, "VAR": settings.var, "RUNS": bucket, "MODELS": settings.models}
    environment = {**os.environ, **{f"WARDROUND_{name}": str(place) for name, place in places.items()}}
    command = [sys.executable, "-m", "wardround", "screen", "sepsis", "--as-of", AS_OF, "--chunk", "1", "--source"]
    started: list[subprocess.Popen[bytes]] = []
    met = iter(range(1, 10_000))

    def meet(line: Line, forward: Forward) -> None:
        if next(met) == last:
            started[0].kill()
            return line.hang_up()
        return line.pass_on(forward())

    with gateway_before(server, meet) as url:
        started.append(subprocess.Popen([*command, url], env=environment))
        assert started[0].wait() == -signal.SIGKILL
        (run,) = runs_in(bucket)
        resumed = [sys.executable, "-m", "wardround", "screen", "--resume", run]
        done = subprocess.run(resumed, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with FhirClient(FhirEndpoint(server)) as client:
        about = sorted(risk["encounter"]["reference"] for risk in client.search("RiskAssessment", {}))
    assert about == [f"Encounter/e-s{place}" for place in range(STAYS)]


def test_a_process_sees_at_once_what_another_one_wrote(bucket) -> None:
    folder = RunFolder.of(bucket, RUN)
    folder.write_json("request.json", 1)
    assert (folder.list(), runs_in(bucket)) == (["request.json"], [RUN])
    # Another process, which shares no cache with this one.
    other = fsspec.filesystem("s3", skip_instance_cache=True)
    other.pipe_file(f"ward/{RUN}/summary.json", b"2")
    other.pipe_file(f"ward/{RUN[:-1]}d/request.json", b"3")
    assert folder.exists("summary.json")
    assert folder.list() == ["request.json", "summary.json"]
    assert runs_in(bucket) == [RUN, f"{RUN[:-1]}d"]


def test_to_read_a_file_is_one_request(bucket, monkeypatch) -> None:
    from aiobotocore.client import AioBaseClient

    folder, asked, ask = RunFolder.of(bucket, RUN), [], AioBaseClient._make_api_call
    folder.write_json("request.json", 1)

    def note(client: Any, operation: str, parameters: Any) -> Any:
        asked.append(operation)
        return ask(client, operation, parameters)

    monkeypatch.setattr(AioBaseClient, "_make_api_call", note)
    assert folder.read_json("request.json") == 1
    assert folder.read_json_or("summary.json", {}) == {}
    assert asked == ["GetObject", "GetObject"]


def test_a_write_that_fails_half_way_leaves_the_old_object(bucket) -> None:
    folder = RunFolder.of(bucket, RUN)
    folder.write_lines("a.txt", ["whole\n"])

    def lines() -> Iterator[str]:
        yield "half\n"
        raise KeyError

    with pytest.raises(KeyError):
        folder.write_lines("a.txt", lines())
    assert (folder.read_text("a.txt"), folder.list()) == ("whole\n", ["a.txt"])


def test_a_bucket_that_does_not_exist_is_named(bucket) -> None:
    with pytest.raises(StorageError, match=rf"^s3://nowhere/{RUN}/a\.json: there is no such bucket"):
        RunFolder.of("s3://nowhere", RUN).write_json("a.json", 1)
    with pytest.raises(RunNotFound, match="there is no run"):
        RunFolder.existing("s3://nowhere", RUN)


def test_a_run_in_s3_is_listed_with_its_size_and_removed_whole(server, settings, bucket) -> None:
    own = replace(settings, runs=f"{bucket}/runs")
    ledger_of(own, server, "search")
    (name,) = run_names(own)
    folder = RunFolder.of(own.runs, str(name))
    assert sizes([str(name)], own)[str(name)] == sum(len(folder.read_bytes(file)) for file in folder.list()) > 0
    now = datetime.now(UTC)
    assert is_in_use(name, own, now)
    assert not is_in_use(name, own, now + timedelta(hours=25))
    assert remove_runs([name], "tests", own, now, lambda _: False) == 1
    assert (run_names(own), folder.list()) == ([], [])
