"""Tests a DAG whose connection signs in: it screens, and no secret is in Airflow's database, its logs or the run."""

import json
import logging
import os
from pathlib import Path

import pandas as pd
import pytest

from wardround.adapters.files.run_folder import RunFolder, run_id
from wardround.airflow.environment import local_environment
from wardround.demo.fhir_server.running import running_server
from wardround.demo.fhir_server.sign_in import Clients
from wardround.demo.in_process import run_dag
from wardround.fhir.auth import SIGN_INS
from wardround.fhir.sign_in import SignedAssertion
from wardround.settings import PROJECT

pytestmark = [
    pytest.mark.usefixtures("airflow_database"),
    pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient` is deprecated"),
]
STAYS = 3
NOW = pd.Timestamp("2026-01-02T05:00:00Z")


def test_a_dag_signs_in_by_its_connection_and_shows_no_secret(
    icu, settings, key_pair, monkeypatch, tmp_path, caplog, capfd
):
    caplog.set_level(logging.DEBUG)
    with running_server(tls=True, clients=Clients(public_keys={"ward": key_pair.public})) as server:
        for number in range(STAYS):
            icu.stay(f"s{number}")
        icu.upload(server.base_url, sign_in=SignedAssertion("ward", key_pair.private), ca_file=server.ca_file)
        server.forget_requests()
        for name, value in local_environment(settings, tmp_path, server.base_url).items():
            if name.startswith("WARDROUND_"):
                monkeypatch.setenv(name, value)
        extra = {"auth": "smart", "private_key": key_pair.private, "key_id": "k1", "ca_file": server.ca_file}
        connection = {"conn_type": "fhir", "host": server.base_url, "login": "ward", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_FHIR_DEFAULT", json.dumps(connection))

        end = run_dag("screen_icu__sepsis", PROJECT / "dags", NOW.to_pydatetime(), {})

        assert (end.state, end.failed_tasks) == ("success", ())
        assert server.requests()["POST token"] == 1  # all tasks are in this process
    summary = RunFolder.of(settings.runs, run_id("sepsis", NOW, end.run_id)).read_json("summary.json")
    assert summary["written"] == STAYS
    printed = capfd.readouterr()
    said = (caplog.text + printed.out + printed.err).encode()
    kept = [path.read_bytes() for folder in (Path(os.environ["AIRFLOW_HOME"]), settings.var) for path in files(folder)]
    assert any(content.startswith(b"SQLite format 3") for content in kept)
    held = [tokens._header for tokens in SIGN_INS._tokens.values() if tokens._header]
    secrets = [key_pair.private.splitlines()[1], *(str(header).split()[-1] for header in held)]
    assert len(secrets) > 1
    assert [secret for secret in secrets if any(secret.encode() in content for content in (said, *kept))] == []


def files(folder):
    return [path for path in Path(folder).rglob("*") if path.is_file()]
