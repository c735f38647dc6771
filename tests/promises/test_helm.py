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
SERVICES = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())["services"]
SCHEDULER = SERVICES["airflow-scheduler"]
COMPOSE = SCHEDULER["environment"]
DOORS = list(yaml.safe_load_all((PROJECT / "deploy" / "kubernetes" / "doors.yaml").read_text()))
PAGE = (PROJECT / "docs" / "deployment" / "helm.md").read_text()
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


def test_with_git_sync_what_has_no_repository_uses_the_home_in_the_image():
    """The chart gives the repository neither to the api-server nor to the job that migrates the database."""
    home = variables(VALUES)["WARDROUND_HOME"]

    assert GIT_SYNC["apiServer"]["env"] == [{"name": "WARDROUND_HOME", "value": home}]
    assert GIT_SYNC["migrateDatabaseJob"]["args"][-1] == (
        f"airflow db migrate && WARDROUND_HOME={home} exec python -m wardround.airflow.first_start"
    )


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


def keys(values, beginning=""):
    """Yields the dotted keys of the chart's own; what is below `config` are Airflow's options."""
    for key, value in values.items():
        name = f"{beginning}{key}"
        if isinstance(value, dict) and name not in ("config", *RESOURCES):
            yield from keys(value, f"{name}.")
        else:
            yield name


# Requests and limits of a container, which the chart takes as Kubernetes has them.
RESOURCES = tuple(
    f"{one}.resources" for one in ("workers.celery", "scheduler", "dagProcessor", "apiServer", "triggerer")
)
# Looked up on 30 November 2026: in the chart's values.yaml and templates as they are stored beside Airflow 3.1.3, and
# `workers.celery` in the release notes of chart 1.21.0. Not seen there: `statsd.enabled` and the keys of `dagProcessor`
# and `triggerer`, which are written as those of the others are. The chart's schema lets some misspelled keys pass.
LOOKED_UP = {
    *("airflowVersion", "executor", "images.airflow.repository", "images.airflow.tag"),
    *("fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName"),
    *("data.metadataSecretName", "data.resultBackendSecretName", "data.brokerUrlSecretName"),
    *("secret", "env", "volumes", "volumeMounts", "airflowLocalSettings", "config"),
    *("postgresql.enabled", "redis.passwordSecretName", "redis.persistence.enabled"),
    *("workers.celery.replicas", *RESOURCES, "migrateDatabaseJob.args"),
    *("statsd.enabled", "logs.persistence.enabled"),
    *("dags.gitSync.enabled", "dags.gitSync.repo", "dags.gitSync.ref", "dags.gitSync.subPath"),
    *("dags.gitSync.credentialsSecret", "apiServer.env"),
}


def test_every_key_was_looked_up_in_the_chart():
    assert {*keys(VALUES), *keys(GIT_SYNC)} == LOOKED_UP


def deployment(name):
    [found] = [one for one in DOORS if one["kind"] == "Deployment" and one["metadata"]["name"] == name]
    return found["spec"]["template"]["spec"]


CONTAINERS = {
    "cds": deployment("wardround-cds")["containers"][0],
    **{f"stream-{one['name']}": one for one in deployment("wardround-stream")["containers"]},
}


def options_of(words):
    """Returns the words of a command, and its options; not the port, nor the address under which it is reached."""
    own = ("--port", "--base-url")
    return [word for word in words if not word.startswith(own)]


def port_of(container):
    [port] = [int(word.removeprefix("--port=")) for word in container["args"] if word.startswith("--port=")]
    return port


def test_the_doors_are_those_of_compose():
    doors = {name for name in SERVICES if name == "cds" or name.startswith("stream-")}

    assert set(CONTAINERS) == doors
    assert {name: options_of(one["args"]) for name, one in CONTAINERS.items()} == {
        name: options_of(SERVICES[name]["command"]) for name in doors
    }


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_door_has_the_image_the_limits_and_the_grace_of_compose(name):
    container, service = CONTAINERS[name], SERVICES[name]
    image = f"{VALUES['images']['airflow']['repository']}:{VALUES['images']['airflow']['tag']}"
    bytes_of = {"m": 2**20, "g": 2**30, "Mi": 2**20, "Gi": 2**30}
    limit, same = (
        int(re.sub(r"\D", "", text)) * bytes_of[re.sub(r"\d", "", text)]
        for text in (container["resources"]["limits"]["memory"], service["mem_limit"])
    )

    assert container["image"] == image
    assert limit == same
    grace = deployment("wardround-cds" if name == "cds" else "wardround-stream")["terminationGracePeriodSeconds"]
    assert f"{grace}s" == service["stop_grace_period"]


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_probes_of_a_door_ask_the_port_that_it_opens(name):
    container = CONTAINERS[name]
    probes = {kind: container[kind]["httpGet"] for kind in container if kind.endswith("Probe")}

    assert {one["port"] for one in probes.values()} == {port_of(container)}
    assert {kind: one["path"] for kind, one in probes.items()} == {
        "startupProbe": "/health",
        "livenessProbe": "/health",
        **({"readinessProbe": "/ready"} if "readinessProbe" in probes else {}),
    }
    assert port_of(container) in [one["containerPort"] for one in container["ports"]]


def test_the_stages_of_one_pod_have_ports_of_their_own():
    ports = [port_of(one) for name, one in CONTAINERS.items() if name != "cds"]
    assert len(set(ports)) == len(ports) == 7


def test_a_service_leads_to_each_door():
    services = {one["metadata"]["name"]: one["spec"] for one in DOORS if one["kind"] == "Service"}

    assert {name: [one["targetPort"] for one in spec["ports"]] for name, spec in services.items()} == {
        "wardround-cds": [port_of(CONTAINERS["cds"])],
        "wardround-stream": [2575],
    }
    assert all(name == spec["selector"]["app"] for name, spec in services.items())


def test_the_doors_share_claim_and_places_with_the_dags():
    [shared] = [one["data"] for one in DOORS if one["kind"] == "ConfigMap"]
    dags = variables(VALUES)
    claims = {
        volume["persistentVolumeClaim"]["claimName"]
        for name in ("wardround-cds", "wardround-stream")
        for volume in deployment(name)["volumes"]
        if "persistentVolumeClaim" in volume
    }

    assert claims == {VALUES["volumes"][0]["persistentVolumeClaim"]["claimName"]}
    assert {name: dags[name] for name in shared.keys() & dags.keys()} == {
        name: shared[name] for name in shared.keys() & dags.keys()
    }
    assert shared.keys() - dags.keys() == {"WARDROUND_STREAM"}
    assert "`wardround-doors`" in PAGE


def test_the_doors_find_what_their_configmaps_hold():
    mounts = {
        mount["mountPath"]
        for container in CONTAINERS.values()
        for mount in container["volumeMounts"]
        if mount["name"] in ("issuers", "sources")
    }
    named = {word.removeprefix("--issuers=") for word in CONTAINERS["cds"]["args"] if word.startswith("--issuers=")}
    [shared] = [one["data"] for one in DOORS if one["kind"] == "ConfigMap"]

    assert {str(Path(one).parent) for one in (*named, shared["WARDROUND_STREAM"])} == mounts
    assert (PROJECT / "deploy" / "cds" / Path(*named).name).is_file()
    assert (PROJECT / "deploy" / "stream" / Path(shared["WARDROUND_STREAM"]).name).is_file()
