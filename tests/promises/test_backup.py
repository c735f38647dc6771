"""Tests the commands of docs/operations/backup.md: back up during a screening, destroy, restore, screen again."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from tests.adapters.database.throwaway_postgresql import running
from tests.fixtures.icu import AS_OF, Icu
from tests.loopback import Forward, Line, gateway_before

from wardround.adapters.models.store import ModelStore
from wardround.adapters.pseudonyms import Pseudonyms
from wardround.airflow.environment import local_environment
from wardround.demo.fhir_server.running import running_server
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import PROJECT, Settings
from wardround.workflows.run_list import run_names

pytestmark = pytest.mark.long

STAYS = 4
BEFORE, DURING, AFTER = (AS_OF + timedelta(hours=hours) for hours in range(3))
BLOCKS = [
    dedent(block)
    for block in re.findall(
        r"^ *```bash\n(.*?)^ *```$", (PROJECT / "docs" / "operations" / "backup.md").read_text(), re.M | re.S
    )
]


@dataclass(frozen=True)
class Site:
    """An installation, and the commands with which it is backed up and restored."""

    settings: Settings
    environment: dict[str, str]
    home: Path
    back_up: str
    restore: str

    def run(self, *words: str) -> str:
        """Returns what a command printed."""
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
        return done.stdout

    def screen(self, as_of: Any) -> None:
        printed = self.run(sys.executable, str(Path(__file__).with_name("screening_dag.py")), as_of.isoformat())
        end = json.loads(printed.strip().rpartition("\n")[2])
        assert (end["state"], end["failed_tasks"]) == ("success", []), printed[-5_000:]

    def findings(self, url: str) -> list[tuple[str, str]]:
        command = ["wardround", "check-stores", "--source", url, "--since", "2026-01-01", "--json"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        found = json.loads(done.stdout)["findings"]
        assert done.returncode == (19 if found else 0), done.stderr
        return [(one["store"], one["what"]) for one in found]


def without(block: str, *commands: str) -> str:
    """Returns a block of the page without the lines that another block takes the place of."""
    lines = block.splitlines()
    left = [line for line in lines if not line.startswith(commands)]
    assert len(lines) - len(left) == len(commands)
    return "\n".join(left)


@pytest.fixture(params=["sqlite", "postgresql"])
def site(
    request: pytest.FixtureRequest, settings: Settings, tmp_path: Path, lactate_models: Path
) -> Iterator[tuple[Site, Any]]:
    """An installation in SQLite files or in one PostgreSQL database, and what makes that database anew."""
    shutil.copytree(lactate_models, tmp_path / "models")
    home = tmp_path / "airflow"
    own = replace(settings, models=tmp_path / "models", runs=str(tmp_path / "runs"))
    backup, copied = BLOCKS[0], BLOCKS[2]
    (tmp_path / "backup").mkdir()
    named = {
        "BACKUP": str(tmp_path / "backup"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    if request.param == "sqlite":
        if shutil.which("sqlite3") is None:
            pytest.skip("sqlite3 is not installed")
        connection = f"sqlite:///{home / 'airflow.db'}"
        environment = local_environment(own, home, "") | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": connection, **named}
        yield Site(own, {**os.environ, **environment}, home, backup, copied), lambda: None
        return
    with running() as server:
        name = server.new_database()
        url = server.url(name)
        own = replace(own, database=url)
        connection = {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url.replace("postgresql:", "postgresql+psycopg:"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": url.replace("postgresql:", "postgresql+psycopg_async:"),
        }
        environment = local_environment(own, home, "") | connection | named | {"POSTGRESQL": url}
        backup = BLOCKS[1] + without(backup, "sqlite3", "wardround database")
        copied = without(copied, "wardround database", "cp") + "\n" + BLOCKS[3]

        def lose() -> None:
            with server.connected() as administrator:
                administrator.execute(f"drop database {name} with (force)")
                administrator.execute(f"create database {name}")

        yield Site(own, {**os.environ, **environment}, home, backup, copied), lose


def results(url: str) -> dict[str, Any]:
    with FhirClient(FhirEndpoint(url)) as client:
        found = list(client.search("RiskAssessment", {}))
    identified = {one["identifier"][0]["value"]: one for one in found}
    assert len(identified) == len(found)
    return identified


def test_what_was_backed_up_during_a_screening_is_restored_and_no_result_is_written_twice(
    site: tuple[Site, Any], icu: Icu
) -> None:
    own, lose = site
    for place in range(STAYS):
        icu.stay(f"s{place}", lactate=0.5 + place)
    Pseudonyms.in_folder(own.settings.var)
    backing_up: list[bool] = []  # once there is one, the next write of results starts it

    def meet(line: Line, forward: Forward) -> None:
        given = forward()
        if backing_up and b'"RiskAssessment"' in line.body and line.command == "POST":
            backing_up.clear()
            own.run("bash", "-c", own.back_up)
        line.pass_on(given)

    with running_server() as server, gateway_before(server.base_url, meet) as url:
        icu.upload(server.base_url)
        own.environment["AIRFLOW_CONN_FHIR_DEFAULT"] = json.dumps({"conn_type": "fhir", "host": url})
        own.run(sys.executable, str(Path(__file__).with_name("screening_dag.py")), "migrate")
        own.screen(BEFORE)
        backing_up.append(True)
        own.screen(DURING)
        assert not backing_up
        own.screen(AFTER)
        assert own.findings(url) == []
        before = results(server.base_url)
        assert len(before) == 3 * STAYS

        for folder in (own.settings.models, own.settings.var, Path(own.settings.runs), own.home):
            shutil.rmtree(folder)
        lose()
        own.run("bash", "-c", own.restore)
        during, first = run_names(own.settings)
        assert (during.time, first.time) == (DURING, BEFORE)
        assert own.findings(url) == [
            ("runs", f"{during}: did not end"),
            ("record", f"{STAYS} results of sepsis as of 2026-01-02T07:00:00Z are of no run here"),
        ]
        assert ModelStore(own.settings.models).doubts("sepsis") is None

        own.screen(DURING)
        own.screen(AFTER)
        assert own.findings(url) == []
        assert results(server.base_url) == before
