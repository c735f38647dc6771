"""Tests that models in S3 are saved, decided about and used as in a folder, by several machines and through kills."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest
from tests.adapters.database.throwaway_postgresql import Server
from tests.dags.test_runs import answering
from tests.object_storage.access import access_to

from wardround.adapters.files.run_folder import RunFolder, run_id
from wardround.adapters.models.files import ConditionFiles
from wardround.adapters.models.store import ModelStore
from wardround.airflow.environment import local_environment
from wardround.demo.fhir_server.running import running_server
from wardround.demo.in_process import run_dag
from wardround.errors import DatabaseError
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import PROJECT, database_in, settings_from
from wardround.spec.loading import load_condition
from wardround.workflows.live_models import Live

pytestmark = pytest.mark.long

DECIDING = PROJECT / "tests" / "promises" / "deciding.py"
KILLED = -signal.SIGKILL


@pytest.fixture
def database(postgresql: Server) -> str:
    return postgresql.url(postgresql.new_database())


@pytest.fixture
def store(bucket: str, lactate_models: Path, database: str) -> ModelStore:
    """Returns a store in S3 with one version, which is live."""
    fsspec.filesystem("s3").put(str(lactate_models), f"{bucket}/models", recursive=True)
    return ModelStore(f"{bucket}/models", database)


def asked(store: ModelStore, schemas: Path, work: str, **job: Any) -> str:
    """Returns what deciding.py is told: one work on the store."""
    card = store.card("sepsis", store.versions("sepsis")[0]).model_dump(mode="json")
    told = {"root": store.root, "database": store.database, "schemas": str(schemas), "card": card}
    return json.dumps({**told, "condition": "sepsis", "work": work, **job})


def done(*jobs: str) -> list[int]:
    """Does each of the works in a process of its own, all at the same time, and returns how they ended."""
    command = [sys.executable, str(DECIDING)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in jobs]
    for process, job in zip(processes, jobs, strict=True):
        print(job, file=process.stdin, flush=True)
    return [json.loads(process.communicate()[0])["status"] for process in processes]


@pytest.fixture(scope="module")
def deciding(s3_server: str) -> Iterator[Callable[[str], int]]:
    """deciding(job) does a work in a fork of one process, and returns how that ended."""
    environment = {**os.environ, **access_to(s3_server)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, str(DECIDING)], env=environment, text=True, **pipes) as process:

        def ended(job: str) -> int:
            print(job, file=process.stdin, flush=True)
            assert process.stdout is not None
            return int(json.loads(process.stdout.readline())["status"])

        yield ended
        assert process.stdin is not None
        process.stdin.close()


def _state(store: ModelStore) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return store.versions("sepsis"), tuple(each.what for each in store.decisions("sepsis"))


@pytest.mark.parametrize("work", ["save", "suspend"])
def test_a_change_killed_at_any_write_is_made_or_not_and_is_made_whole_the_next_time(
    store, deciding, small_home, lactate_models, bucket, database, work
) -> None:
    schemas, before = small_home / "include" / "schemas", _state(store)
    assert deciding(asked(store, schemas, work)) == 0
    after, step, status = _state(store), 0, KILLED
    while status == KILLED:
        step += 1
        one = ModelStore(f"{bucket}/models-{step}", database)
        fsspec.filesystem("s3").put(str(lactate_models), one.root, recursive=True)
        status = deciding(asked(one, schemas, work, kill_at=step))
        assert _state(one) in (before, after)
        assert one.doubts("sepsis") is None
        for version in one.versions("sepsis"):
            assert one.card("sepsis", version).version == version
        live = one.live("sepsis")
        stored = ConditionFiles(one.root, "sepsis").found("live.json") or b""
        assert json.loads(stored) == live.model_dump(mode="json")
        assert deciding(asked(one, schemas, work)) == 0
        assert _state(one) == after
    assert (status, step > 4) == (0, True)


def test_of_machines_that_decide_at_once_each_decision_is_kept(store, small_home) -> None:
    works = [asked(store, small_home / "include" / "schemas", work) for work in ("suspend", "save", "record", "record")]
    assert done(*works) == [0, 0, 0, 0]
    assert store.standing("sepsis").suspended is not None
    assert len(store.versions("sepsis")) == 2
    assert store.doubts("sepsis") is None


def test_where_no_lock_holds_the_store_itself_refuses_to_lose_a_decision(store, tmp_path) -> None:
    # Each has a database of its own, so that none waits for another.
    apart = [ModelStore(store.root, database_in(tmp_path / str(number))) for number in range(6)]
    before, kept = len(store.decisions("sepsis")), 0
    with ThreadPoolExecutor(len(apart)) as pool:
        works = [pool.submit(one.record, "sepsis", "rejected", "c", "ann", f"{at}") for at, one in enumerate(apart)]
        for work in works:
            refused = work.exception()
            kept += refused is None
            assert refused is None or "was written by another process meanwhile" in str(refused)
    assert len(store.decisions("sepsis")) == before + kept
    assert kept >= 1
    assert store.doubts("sepsis") is None


def test_a_promotion_whose_lock_is_lost_writes_nothing(store, postgresql, monkeypatch) -> None:
    before = store.decisions("sepsis")

    def lose() -> Any:
        with postgresql.connected() as connection:
            connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname like 'ward%'")
        return before[0].when

    with pytest.raises(DatabaseError, match="the connection that held a lock was lost"):
        replace(store, clock=lose).suspend("sepsis", "cat", "too many alarms")
    assert store.decisions("sepsis") == before


def test_a_door_notices_what_another_machine_decided(store, small_home) -> None:
    sepsis = load_condition("sepsis", small_home / "include" / "schemas")
    live, there = Live(store, {"sepsis": sepsis}), ModelStore(store.root, store.database)
    live.look()
    first = live.of("sepsis").version
    card = there.card("sepsis", first)
    files = {name: ConditionFiles(store.root, "sepsis").found(f"{first}/{name}") or b"" for name in card.files}
    there.save("sepsis", card.model_copy(update={"version": "1.0.0-new"}), files)
    there.promote(sepsis, "1.0.0-new", "ann", "better")
    live.look()
    assert (live.of("sepsis").version, live.of("sepsis").problem) == ("1.0.0-new", "")
    there.suspend("sepsis", "cat", "too many alarms")
    live.look()
    assert live.of("sepsis").suspended


def test_the_command_line_lists_and_decides_there(store, small_home, tmp_path) -> None:
    places = {"HOME": small_home, "VAR": tmp_path, "MODELS": store.root, "DATABASE": store.database}
    environment = {**os.environ, **{f"WARDROUND_{name}": str(place) for name, place in places.items()}}
    command = [sys.executable, "-m", "wardround", "model"]

    def said(*arguments: str) -> Any:
        options = ("--by", "cat", "--why", "too many alarms") if arguments[0] == "suspend" else ()
        ran = subprocess.run(
            [*command, *arguments, *options, "--json"], env=environment, capture_output=True, check=True
        )
        return json.loads(ran.stdout)

    assert said("suspend", "sepsis")["suspended"]["by"] == "cat"
    (row,) = said("list")["models"]
    assert (row["version"], row["state"]) == (store.versions("sepsis")[0], "live")
    assert said("show", "sepsis")["suspended"]["why"] == "too many alarms"


@pytest.mark.usefixtures("airflow_database")
@pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient` is deprecated")
def test_dag_runs_train_approve_promote_and_screen_with_runs_and_models_in_s3(
    simulated_ward, bucket, database, tmp_path, monkeypatch
) -> None:
    now = simulated_ward.now.to_pydatetime()
    own = replace(settings_from(), var=tmp_path, runs=f"{bucket}/runs", models=f"{bucket}/models", database=database)
    form = {"mimic": str(simulated_ward.mimic), "candidates": ["logistic_regression"], "budget": 1}
    with running_server(data=simulated_ward.fhir) as server:
        for name, value in local_environment(own, tmp_path / "airflow", server.base_url).items():
            if name.startswith(("WARDROUND_", "AIRFLOW_CONN_")):
                monkeypatch.setenv(name, value)
        store = ModelStore(own.models, database)
        trained = run_dag("train__sepsis", PROJECT / "dags", now, form)
        first = store.live("sepsis")
        with answering("train__sepsis", "Approve", "better on our patients"):
            again = run_dag("train__sepsis", PROJECT / "dags", now, {**form, "seed": 2})
        second = store.live("sepsis")
        chosen = {"version": first.version, "why": "the first after all", "despite_gates": True}
        promoted = run_dag("promote__sepsis", PROJECT / "dags", now, chosen)
        screened = run_dag("screen_icu__sepsis", PROJECT / "dags", now, {})
        with FhirClient(FhirEndpoint(server.base_url)) as client:
            written = sum(1 for _ in client.search("RiskAssessment", {}))
    assert [end.state for end in (trained, again, promoted, screened)] == ["success"] * 4
    assert (second.previous, second.by, second.why) == (first.version, "dr-ann", "better on our patients")
    assert store.live("sepsis").version == first.version
    summary = RunFolder.of(own.runs, run_id("sepsis", simulated_ward.now, screened.run_id)).read_json("summary.json")
    assert summary["model_version"] == first.version
    assert 0 < summary["scored"] == summary["written"] == written
    assert not (tmp_path / "models").exists()
    assert not list(Path.cwd().glob("s3:*"))
