"""Tests the values for Airflow's Helm chart by reading them; no cluster and no chart is used."""

import re
from pathlib import Path

import pytest
import yaml

from wardround.airflow.environment import EVERYWHERE
from wardround.settings import PROJECT, settings_from
from wardround.workflows.source_variables import SET_BY_VARIABLE

HELM = PROJECT / "deploy" / "helm"
VALUES = yaml.safe_load((HELM / "values.yaml").read_text())
GIT_SYNC = yaml.safe_load((HELM / "git-sync.yaml").read_text())
SCHEDULER = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())["services"]["airflow-scheduler"]
COMPOSE = SCHEDULER["environment"]
PAGE = (PROJECT / "docs" / "operations" / "kubernetes.md").read_text()
CLAIM = VALUES["volumeMounts"][0]["mountPath"]


def variables(values):
    return {one["name"]: one["value"] for one in values["env"]}


def settings_of_airflow(values):
    return {
        f"AIRFLOW__{section}__{option}".upper(): str(value)
        for section, options in values["config"].items()
        for option, value in options.items()
    }


def test_airflows_settings_agree_with_the_local_profile():
    assert EVERYWHERE.items() <= settings_of_airflow(VALUES).items()


def test_the_times_of_recovery_are_those_of_compose():
    of_scheduler = {name for name in settings_of_airflow(VALUES) if name.startswith("AIRFLOW__SCHEDULER__")}

    assert len(of_scheduler) > 5
    assert {name: COMPOSE[name] for name in of_scheduler} == {
        name: settings_of_airflow(VALUES)[name] for name in of_scheduler
    }


def test_no_more_tasks_are_queued_than_the_workers_have_slots():
    workers = VALUES["workers"]["celery"]["replicas"]

    assert VALUES["config"]["core"]["parallelism"] == workers * VALUES["config"]["celery"]["worker_concurrency"]


def test_the_image_and_airflow_are_those_of_the_project():
    lock = (PROJECT / "requirements-distributed.txt").read_text()
    [airflow] = re.findall(r"^apache-airflow==(\S+)", lock, flags=re.MULTILINE)
    image = SCHEDULER["image"].removeprefix("wardround:")

    assert (VALUES["airflowVersion"], VALUES["images"]["airflow"]["tag"]) == (airflow, image)
    assert GIT_SYNC["dags"]["gitSync"]["ref"] == f"v{image}"


@pytest.mark.parametrize("values", [VALUES, GIT_SYNC], ids=["baked image", "git-sync"])
def test_runs_models_and_keys_lie_in_the_claim_that_all_pods_share(values):
    settings = settings_from(variables(values))

    assert VALUES["volumes"][0]["persistentVolumeClaim"]["claimName"]
    for place in (settings.runs, settings.models, settings.var):
        assert Path(str(place)).is_relative_to(CLAIM)


def test_git_sync_changes_only_where_dags_and_conditions_come_from():
    baked, synced = variables(VALUES), variables(GIT_SYNC)

    assert {name for name in baked if baked[name] != synced[name]} == {"WARDROUND_HOME"}
    assert baked.keys() == synced.keys()
    assert GIT_SYNC["config"]["core"]["dags_folder"] == f"{synced['WARDROUND_HOME']}/dags"


def test_no_secret_has_a_value_in_the_file_and_the_page_names_each():
    named = {one["secretName"] for one in VALUES["secret"]}
    named |= {value for key, value in VALUES.items() if key.endswith("SecretName")}
    named |= {value for key, value in VALUES["data"].items() if key.endswith("SecretName")}
    named |= {VALUES["redis"]["passwordSecretName"], GIT_SYNC["dags"]["gitSync"]["credentialsSecret"]}

    assert len(named) == 10
    assert [name for name in named if f"`{name}`" not in PAGE] == []


def test_every_variable_of_the_fhir_server_exists():
    used = {*variables(VALUES), *(one["envName"] for one in VALUES["secret"])}
    known = {f"FHIR_DEFAULT_{setting.upper()}" for setting in SET_BY_VARIABLE}

    assert {name for name in used if name.startswith("FHIR_DEFAULT_")} <= known


def test_what_is_missing_in_airflows_database_is_made_after_the_migration():
    assert "airflow db migrate && exec python -m wardround.airflow.first_start" in VALUES["migrateDatabaseJob"]["args"]
