"""Tests docker-compose.yaml, Dockerfile and .env.example by reading them; no Docker engine is used."""

import re
from pathlib import Path

import pytest
import yaml
from tests.cds.calls import call

from wardround.airflow.environment import EVERYWHERE
from wardround.airflow.pools import FHIR_POOL, FHIR_POOL_SLOTS
from wardround.airflow.provider import DEFAULT_CONNECTION
from wardround.cds.http.workers import STOP_SECONDS
from wardround.cds.servers import Servers
from wardround.cli.cds import command as cds
from wardround.cli.stream import command as stream
from wardround.demo.hospital.places import INPATIENT, PEOPLE, PEOPLE_AUTHORITY, VISITS, VISITS_AUTHORITY, WATCHED
from wardround.settings import PROJECT, settings_from
from wardround.spec.loading import load_issuers, load_stream
from wardround.stream.stages import PROCESSES
from wardround.workflows.servers import server_at

COMPOSE = (PROJECT / "docker-compose.yaml").read_text()
SERVICES = yaml.safe_load(COMPOSE)["services"]
AIRFLOW = ["apiserver", "scheduler", "dag-processor", "worker", "triggerer", "init"]
STREAM = dict.fromkeys(("listen", "flag", "notify", "resolve", "watch"), "128m") | dict.fromkeys(
    ("query", "predict"), "256m"
)
ONCE = {"airflow-init", "ward"}


def variable_names(text):
    return set(re.findall(r"^([A-Z_]+)=", text, flags=re.MULTILINE))


def pins(name):
    return set(re.findall(r"^([a-z0-9-]+==\S+)", (PROJECT / name).read_text(), flags=re.MULTILINE))


def test_the_services_are_those_of_airflows_own_file_a_fhir_server_and_the_two_doors():
    others = {"postgres", "redis", "fhir", "fhir-db", "ward", "cds"}
    stream = {f"stream-{name}" for name in STREAM}
    assert set(SERVICES) == {f"airflow-{name}" for name in AIRFLOW} | stream | others


def test_airflows_settings_agree_with_the_local_profile():
    for name in AIRFLOW:
        environment = SERVICES[f"airflow-{name}"]["environment"]
        assert EVERYWHERE.items() <= environment.items(), name
        assert environment["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"


def test_every_secret_comes_from_the_environment_file_and_has_no_default():
    used = dict(re.findall(r"(?<!\$)\$\{([A-Z_]+)([^}]*)\}", COMPOSE))

    assert set(used) == variable_names((PROJECT / ".env.example").read_text())
    assert all(rest.startswith(":?") for rest in used.values())


def test_the_example_contains_no_secret():
    lines = (PROJECT / ".env.example").read_text().splitlines()

    assert all(line.endswith("=") for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONCE - {"fhir"}))
def test_what_keeps_running_has_a_health_check(name):
    assert SERVICES[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


def test_a_service_waits_only_for_services_that_can_reach_the_state():
    for name, service in SERVICES.items():
        for other, wanted in service.get("depends_on", {}).items():
            match wanted["condition"]:
                case "service_healthy":
                    assert "healthcheck" in SERVICES[other], (name, other)
                case "service_completed_successfully":
                    assert SERVICES[other]["restart"] == "no", (name, other)
                case "service_started":
                    assert other in SERVICES, (name, other)
                case condition:
                    pytest.fail(f"{name} waits for {other} to be {condition}")


def test_every_image_is_pinned():
    images = {service["image"] for service in SERVICES.values()}
    images |= set(re.findall(r"^FROM (\S+)", (PROJECT / "Dockerfile").read_text(), flags=re.MULTILINE))

    for image in images:
        assert re.search(r":v?\d+\.\d+", image), image


def test_every_named_volume_is_declared_and_used():
    mounted = {mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])}
    folders = {mount for mount in mounted if mount.startswith("./")}

    assert mounted - folders == set(yaml.safe_load(COMPOSE)["volumes"])
    assert [folder for folder in folders if not (PROJECT / folder).is_dir()] == []


def test_ports_are_open_to_this_machine_only():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert sorted(ports) == [
        "127.0.0.1:2575:2575",
        "127.0.0.1:8080:8080",
        "127.0.0.1:8090:8080",
        "127.0.0.1:8181:8181",
    ]


def test_the_bedside_door_is_started_with_options_that_it_has_and_answers_nobody_who_is_not_listed():
    program, name, *options = SERVICES["cds"]["command"]
    known = {option for parameter in cds.params for option in parameter.opts}
    given = dict(option.split("=", 1) for option in options)
    [issuers] = [mount.split(":")[0] for mount in SERVICES["cds"]["volumes"] if "deploy" in mount]

    assert (program, name) == ("wardround", "cds")
    assert set(given) <= known
    assert given["--port"] == "8181"
    assert load_issuers(PROJECT / issuers / Path(given["--issuers"]).name).issuers == ()
    grace = SERVICES["cds"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > STOP_SECONDS


def test_the_bedside_door_may_read_its_source_with_a_calls_token_whichever_name_the_call_gives_it():
    service = SERVICES["cds"]
    [place] = [option.partition("=")[2] for option in service["command"] if option.startswith("--source=")]
    settings = settings_from(service["environment"])
    servers = Servers.of(settings, [server_at(place, settings, {})])
    [published] = SERVICES["fhir"]["ports"]
    outside = f"http://localhost:{published.split(':')[1]}/fhir"

    for name in (place, outside):
        assert servers.why_not(call({}, "p", server=name, token="t")) is None
        assert servers.source_of(name).base_url == place


@pytest.mark.parametrize("stage", STREAM)
def test_each_stage_of_the_stream_has_one_core_and_its_limit_of_memory_and_time_to_finish(stage):
    service = SERVICES[f"stream-{stage}"]
    program, group, name, *options = service["command"]
    known = {option for parameter in stream.commands[name].params for option in parameter.opts}
    given = dict(option.split("=", 1) for option in options)

    assert (service["cpus"], service["mem_limit"]) == (1, STREAM[stage])
    assert (program, group, name) == ("wardround", "stream", stage)
    assert set(given) <= known
    assert service["healthcheck"]["test"][-1] == f"http://localhost:{given['--port']}/ready"
    assert int(service["stop_grace_period"].removesuffix("s")) > 10


def test_each_process_of_the_stream_has_a_service():
    assert set(STREAM) == set(PROCESSES)


def test_the_streams_services_take_in_what_the_simulated_hospital_sends():
    service = SERVICES["stream-listen"]
    file = PROJECT / "deploy" / "stream" / Path(service["environment"]["WARDROUND_STREAM"]).name
    [source] = load_stream(file).sources.values()
    [published] = service["ports"]

    assert source.address == ("0.0.0.0", int(published.split(":")[-1]))
    assert source.fhir in " ".join(SERVICES["cds"]["command"])
    assert (source.patients[0].namespace, source.patients[0].system) == (PEOPLE_AUTHORITY, PEOPLE)
    assert (source.visits.namespace, source.visits.system) == (VISITS_AUTHORITY, VISITS)
    assert (source.units, source.classes) == (WATCHED, (INPATIENT,))


def test_init_creates_the_pool_that_the_dags_name():
    assert f"airflow pools set {FHIR_POOL} {FHIR_POOL_SLOTS} " in SERVICES["airflow-init"]["command"][2]
    assert f"AIRFLOW_CONN_{DEFAULT_CONNECTION.upper()}" in SERVICES["airflow-worker"]["environment"]


def test_the_image_holds_what_the_settings_point_to():
    dockerfile = (PROJECT / "Dockerfile").read_text()
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()

    for source in re.findall(r"^COPY (.+) \S+$", dockerfile, flags=re.MULTILINE):
        for name in source.split():
            assert (PROJECT / name).exists(), name
            assert f"!{name}" in ignored, name


@pytest.mark.parametrize("lock", ["requirements-dev.txt", "requirements-distributed.txt"])
def test_the_locks_agree(lock):
    assert pins("requirements.txt") <= pins(lock)


def test_the_image_installs_the_pinned_uv():
    version = re.search(r"UV_VERSION := (\S+)", (PROJECT / "Makefile").read_text())[1]

    assert f"uv=={version} " in (PROJECT / "Dockerfile").read_text()
