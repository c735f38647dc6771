"""Tests that a task whose worker does not share the storage with the others stops at once and says so."""

import shutil
import socket

import pendulum
import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.adapters.models.store import ModelStore
from wardround.airflow.sharing import mark_of, require_shared
from wardround.core import run_files
from wardround.demo.in_process import run_dag
from wardround.errors import SettingsError
from wardround.settings import settings_from

RUN = "sepsis-20260102T050000Z-0a1b2c"
HOST = socket.gethostname()


@pytest.fixture
def opened(tmp_path, lactate_models, monkeypatch):
    """The mark of a run that was opened, and the settings of its worker."""
    shutil.copytree(lactate_models, tmp_path / "models")
    monkeypatch.setenv("WARDROUND_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("WARDROUND_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("WARDROUND_MODELS", str(tmp_path / "models"))
    RunFolder(f"{tmp_path}/runs/{RUN}").write_json(run_files.REQUEST, {})
    return mark_of(RUN, "sepsis")


def test_a_worker_with_the_same_folders_works_also_after_another_decision_on_the_models(opened):
    settings = settings_from()
    require_shared(opened, "find_stays", settings)
    ModelStore(settings.models).suspend("sepsis", by="ann", why="tests")
    require_shared(opened, "find_stays", settings)


def test_a_worker_without_the_run_is_named_with_the_setting_on_both_hosts(opened, tmp_path, monkeypatch):
    monkeypatch.setenv("WARDROUND_RUNS", str(tmp_path / "elsewhere"))
    with pytest.raises(SettingsError) as raised:
        require_shared({**opened, "host": "worker-1"}, "find_stays", settings_from())
    assert str(raised.value).startswith(
        f"WARDROUND_RUNS: the folder of runs on {HOST} ({tmp_path}/elsewhere) is not the one in which find_stays opened"
        f" {RUN} on worker-1 ({tmp_path}/runs), expected all workers to share it; give both hosts the same shared"
    )
    assert "then clear find_stays" in str(raised.value)


def test_a_worker_with_the_same_run_of_an_earlier_attempt_does_not_go_on_with_it(opened, tmp_path, monkeypatch):
    shutil.copytree(tmp_path / "runs", tmp_path / "elsewhere")
    again = mark_of(RUN, "sepsis")
    require_shared(again, "find_stays", settings_from())
    monkeypatch.setenv("WARDROUND_RUNS", str(tmp_path / "elsewhere"))
    with pytest.raises(SettingsError, match=f"^WARDROUND_RUNS: .* is not the one in which find_stays opened {RUN}"):
        require_shared(again, "find_stays", settings_from())


def test_a_worker_with_other_models_is_named_with_the_setting_on_both_hosts(opened, tmp_path, monkeypatch):
    monkeypatch.setenv("WARDROUND_MODELS", str(tmp_path / "elsewhere"))
    with pytest.raises(
        SettingsError, match=rf"^WARDROUND_MODELS: the model store on {HOST} \(.*elsewhere\) is not the one"
    ):
        require_shared(opened, "find_stays", settings_from())


DAG_FILE = f"""
import os

from airflow.sdk import DAG
from wardround.airflow.guard import task
from wardround.airflow.sharing import MARK, mark_of, task_after

with DAG("sharing", schedule=None):

    @task
    def find_stays(ti=None):
        ti.xcom_push(MARK, mark_of("{RUN}", "sepsis"))

    @task_after("find_stays")
    def extract():
        open(os.environ["WARDROUND_VAR"] + "-extracted", "w").close()
        # What follows runs elsewhere.
        os.environ["WARDROUND_RUNS"] += "-elsewhere"

    @task_after("find_stays")
    def score():
        open(os.environ["WARDROUND_VAR"] + "-scored", "w").close()

    find_stays() >> extract() >> score()
"""


@pytest.mark.usefixtures("airflow_database", "opened")
@pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient` is deprecated")
def test_a_task_compares_before_it_begins(caplog, capfd, tmp_path):
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    (tmp_path / "sharing.py").write_text(DAG_FILE)
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(DagBag(tmp_path / "sharing.py"), "dags-folder", None)
    end = run_dag("sharing", tmp_path, pendulum.datetime(2026, 1, 2), {})
    printed = capfd.readouterr()
    assert end.failed_tasks == ("score",)
    assert (tmp_path / "var-extracted").exists()
    assert not (tmp_path / "var-scored").exists()
    assert f"WARDROUND_RUNS: the folder of runs on {HOST}" in "\n".join((caplog.text, printed.out, printed.err))
