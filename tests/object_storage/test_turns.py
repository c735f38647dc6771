"""Tests that machines which share object storage and a PostgreSQL database write one after the other, or not at all."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from tests.adapters.database.throwaway_postgresql import Server
from tests.loopback import Forward, Line, gateway_before
from tests.object_storage.stays import STAYS

from wardround.adapters.files.run_folder import runs_in
from wardround.errors import DatabaseError
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings, places_in_environment
from wardround.workflows.screen import Means, ScreeningRequest, screen

pytestmark = pytest.mark.long

AS_OF = "2026-01-02T05:00:00Z"


@pytest.fixture
def database(postgresql: Server) -> str:
    return postgresql.new_database()


@pytest.fixture
def machine(settings: Settings, bucket: str, postgresql: Server, database: str) -> Settings:
    """The settings of one of the machines."""
    return replace(settings, runs=f"{bucket}/runs", database=postgresql.url(database))


def written(server: str) -> dict[str, list[str]]:
    """Returns the stays of all RiskAssessments, and what each Provenance is about."""
    with FhirClient(FhirEndpoint(server)) as client:
        stays = sorted(risk["encounter"]["reference"] for risk in client.search("RiskAssessment", {}))
        targets = sorted(one["target"][0]["reference"] for one in client.search("Provenance", {}))
    return {"stays": stays, "targets": targets}


def is_write(line: Line) -> bool:
    return line.command == "POST" and b'"PUT"' in line.body


def test_runs_of_one_question_on_two_machines_write_each_result_once(machine, server, tmp_path) -> None:
    command = [sys.executable, "-m", "wardround", "screen", "sepsis", "--as-of", AS_OF, "--source", server]
    places = [places_in_environment(replace(machine, var=tmp_path / name)) for name in ("one", "two")]
    both = [subprocess.Popen(command, env={**os.environ, **each}, stderr=subprocess.PIPE, text=True) for each in places]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert len(runs_in(machine.runs)) == 2
    found = written(server)
    assert found["stays"] == [f"Encounter/e-s{place}" for place in range(STAYS)]
    assert len(set(found["targets"])) == len(found["targets"]) == STAYS


def test_a_run_that_lost_its_turn_sends_nothing_more_and_is_resumed(machine, server, postgresql, database) -> None:
    late: list[str] = []
    lost: list[str] = []

    def meet(line: Line, forward: Forward) -> None:
        if lost and is_write(line):
            late.append(line.command)
        given = forward()
        if is_write(line) and not lost:
            lost.append(line.path)
            with postgresql.connected() as connection:
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [database]
                )
        line.pass_on(given)

    with gateway_before(server, meet) as url:
        asked = {"condition": "sepsis", "source_url": url, "as_of": AS_OF, "chunk_size": 50}
        with pytest.raises(DatabaseError, match="the connection that held a lock was lost"):
            screen(ScreeningRequest.model_validate(asked), Means(FhirEndpoint(url), machine, lambda *_: None))
        assert late == []
        (run,) = runs_in(machine.runs)
        command = [sys.executable, "-m", "wardround", "screen", "--resume", run]
        environment = {**os.environ, **places_in_environment(machine)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(written(server)["targets"]) == STAYS
