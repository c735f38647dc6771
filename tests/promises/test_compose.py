"""Tests docker-compose.yaml, Dockerfile and .env.example by reading them; no Docker engine is used."""

import re
from datetime import timedelta
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from tests.cds.calls import call

from wardround.airflow.defaults import task_defaults
from wardround.airflow.environment import EVERYWHERE
from wardround.cds.http.workers import STOP_SECONDS
from wardround.cds.servers import Servers
from wardround.cli.cds import command as cds
from wardround.cli.stream import command as stream
from wardround.demo.hospital.places import INPATIENT, PEOPLE, PEOPLE_AUTHORITY, VISITS, VISITS_AUTHORITY, WATCHED
from wardround.fhir.sign_in import BearerToken
from wardround.settings import PROJECT, settings_from
from wardround.spec.loading import load_issuers, load_stream
from wardround.stream.stages import PROCESSES
from wardround.workflows.servers import server_at
from wardround.workflows.source_variables import IN_FILES, SET_BY_VARIABLE

COMPOSE = (PROJECT / "docker-compose.yaml").read_text()
SERVICES = yaml.safe_load(COMPOSE)["services"]
AIRFLOW = ["apiserver", "scheduler", "dag-processor", "worker", "triggerer", "init"]
STREAM = dict.fromkeys(("listen", "flag", "notify", "resolve", "watch"), "128m") | dict.fromkeys(
    ("query", "predict"), "256m"
)
ONCE = {"airflow-init", "ward"}
DEMO = {"fhir", "fhir-db", "ward"}
WATCH = {"otel-collector", "prometheus", "grafana"}
# Images without a shell or a cheap program that could ask: HAPI's and the collector's.
UNASKED = {"fhir", "otel-collector"}
OURS = {name for name, service in SERVICES.items() if service["image"].startswith("wardround:")}
EXAMPLE = (PROJECT / ".env.example").read_text()
HEALTHY = "/opt/wardround/deploy/compose/healthy.py"
# In seconds: what Airflow's image of the state may lag behind, and how long a task waits before it is tried again.
TWO_MINUTES = 120
RETRY_DELAY = task_defaults(timedelta(hours=1))["retry_delay"].total_seconds()
# A task that is tried again first imports what it needs; measured on a busy machine by make test-distributed.
TASK = 30


def filled_in(service, **values):
    """Returns a service's environment as Docker Compose fills it in from .env.example and these values."""
    known = {**dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, flags=re.MULTILINE)), **values}

    def one(found):
        return known.get(found[1]) or (found[2].removeprefix(":-") if found[2].startswith(":-") else "secret")

    environment = SERVICES[service]["environment"]
    asked = {name: known.get(name) if value is None else str(value) for name, value in environment.items()}
    return {
        name: re.sub(r"(?<!\$)\$\{([A-Z_]+)([^}]*)\}", one, value).replace("$$", "$")
        for name, value in asked.items()
        if value is not None
    }


def variable_names(text):
    return set(re.findall(r"^([A-Z_]+)=", text, flags=re.MULTILINE))


def pins(name):
    return set(re.findall(r"^([a-z0-9-]+==\S+)", (PROJECT / name).read_text(), flags=re.MULTILINE))


def test_the_services_are_those_of_airflows_own_file_the_two_doors_a_demo_and_what_watches():
    others = {"postgres", "redis", "cds"} | DEMO | WATCH
    stream = {f"stream-{name}" for name in STREAM}
    assert set(SERVICES) == {f"airflow-{name}" for name in AIRFLOW} | stream | others


def test_airflows_settings_agree_with_the_local_profile():
    for name in AIRFLOW:
        environment = SERVICES[f"airflow-{name}"]["environment"]
        assert EVERYWHERE.items() <= environment.items(), name
        assert environment["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"


def test_every_secret_comes_from_the_environment_file_and_has_no_default():
    used = dict(re.findall(r"(?<!\$)\$\{([A-Z_]+)([^}]*)\}", COMPOSE))
    refused_by_their_images = {"FHIR_DB_PASSWORD", "GRAFANA_PASSWORD"}
    choices = {"AIRFLOW_TASKS_AT_ONCE": ":-4", "AIRFLOW_METRICS": ":-False", "OTEL_EXPORTER_OTLP_ENDPOINT": ":-"}

    assert set(used) | {"COMPOSE_PROFILES", "FHIR_DEFAULT_ALIASES"} == variable_names(EXAMPLE)
    assert {name: used.pop(name) for name in choices} == choices
    assert {used.pop(name) for name in refused_by_their_images} == {":-"}
    assert all(rest.startswith(":?") for rest in used.values())


def test_the_example_contains_no_secret():
    given = dict(re.findall(r"^([A-Z_]+)=(.+)$", EXAMPLE, flags=re.MULTILINE))

    assert set(given) == {
        "COMPOSE_PROFILES",
        "FHIR_DEFAULT_BASE_URL",
        "FHIR_DEFAULT_ALIASES",
        "AIRFLOW_TASKS_AT_ONCE",
        "AIRFLOW_METRICS",
    }


def test_without_a_profile_only_what_a_real_server_needs_is_started():
    profiles = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}

    assert profiles == {**{name: ["demo"] for name in DEMO}, **{name: ["watch"] for name in WATCH}}


def test_nothing_outside_a_profile_needs_a_service_inside_one():
    for name, service in SERVICES.items():
        for other, wanted in service.get("depends_on", {}).items():
            same = SERVICES[other].get("profiles") in (None, service.get("profiles"))
            assert same or wanted.get("required") is False, (name, other)
    assert SERVICES["airflow-worker"]["depends_on"]["ward"]["condition"] == "service_completed_successfully"


def test_the_fhir_server_and_its_sign_in_come_from_the_environment_file_for_every_service_of_the_image():
    variables = {setting.upper() for setting in SET_BY_VARIABLE} | {f"{setting.upper()}_FILE" for setting in IN_FILES}
    wanted = {f"FHIR_DEFAULT_{name}" for name in variables}

    for name in OURS:
        environment = SERVICES[name]["environment"]
        assert {key for key in environment if key.startswith("FHIR_DEFAULT_")} == wanted, name
        assert {key for key in wanted if environment[key] is not None} == {"FHIR_DEFAULT_BASE_URL"}, name


def test_a_real_server_with_a_sign_in_takes_no_editing_of_the_file():
    values = {"FHIR_DEFAULT_BASE_URL": "https://ehr.example.org/r4", "FHIR_DEFAULT_TOKEN": "t0ken"}
    environment = filled_in("cds", **values)

    reached = server_at("fhir_default", settings_from(environment), environment)

    assert (reached.base_url, reached.sign_in) == ("https://ehr.example.org/r4", BearerToken("t0ken"))


def test_no_variable_hides_a_connection_that_was_made_in_airflow():
    for name, service in SERVICES.items():
        assert [key for key in service.get("environment", {}) if key.startswith("AIRFLOW_CONN_")] == [], name


def test_init_creates_what_is_missing_and_changes_nothing_else():
    [*_, script] = SERVICES["airflow-init"]["command"]
    lines = [line for line in script.splitlines() if line.startswith(("airflow", "python"))]

    assert [line.split(" --")[0] for line in lines] == [
        "airflow db migrate",
        "python -m wardround.airflow.first_start",
        "airflow users create",
    ]
    assert find_spec("wardround.airflow.first_start")


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_has_limits(name):
    assert 0 < SERVICES[name]["cpus"] <= 2
    assert re.fullmatch(r"\d+[mg]", SERVICES[name]["mem_limit"])


def test_what_redis_and_the_others_keep_lies_in_volumes():
    assert {name for name in SERVICES if not SERVICES[name].get("volumes")} == {"fhir"}
    assert SERVICES["redis"]["command"][1:3] == ["--appendonly", "yes"]
    assert SERVICES["redis"]["volumes"] == ["redis:/data"]


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONCE - UNASKED))
def test_what_keeps_running_has_a_health_check(name):
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", sorted(OURS - ONCE))
def test_a_service_of_our_image_is_checked_without_airflows_imports_and_started_again_when_it_is_ill(name):
    service = SERVICES[name]
    command = service["healthcheck"]["test"]

    assert command[:4] == ["CMD", "python", "-I", HEALTHY]
    assert command[4] in {"http", "job", "worker"}
    assert (service["init"], service["restart"]) == (True, "unless-stopped")
    # It is asked to end after the fourth time.
    assert 4 * int(service["healthcheck"]["interval"].removesuffix("s")) <= TWO_MINUTES / 2


def test_the_doors_are_not_ended_while_they_only_wait_for_something():
    for name in ("cds", *(f"stream-{stage}" for stage in STREAM)):
        *_, ready, alive = SERVICES[name]["healthcheck"]["test"]
        assert (ready.removesuffix("/ready"), ready != alive) == (alive.removesuffix("/health"), True), name


def seconds(section, setting):
    return float(filled_in("airflow-scheduler")[f"AIRFLOW__{section}__{setting}".upper()])


def test_a_task_whose_worker_died_has_been_done_again_within_two_minutes():
    detection = float(
        described()["scheduler"]["options"]["task_instance_heartbeat_timeout_detection_interval"]["default"]
    )

    assert seconds("scheduler", "task_instance_heartbeat_timeout") + detection + RETRY_DELAY + TASK < TWO_MINUTES


def test_a_task_that_was_lost_in_the_queue_is_queued_again_within_two_minutes_and_given_up_as_late_as_by_default():
    timeout = seconds("scheduler", "task_queued_timeout")
    options = described()["scheduler"]["options"]
    by_default = 3 * float(options["task_queued_timeout"]["default"])  # two retries

    assert timeout + seconds("scheduler", "task_queued_timeout_check_interval") < TWO_MINUTES
    assert timeout * (1 + seconds("scheduler", "num_stuck_in_queued_retries")) == by_default


def test_the_tasks_of_a_scheduler_that_died_are_taken_over_within_two_minutes():
    gone = float(described()["scheduler"]["options"]["scheduler_health_check_threshold"]["default"])

    assert gone + seconds("scheduler", "orphaned_tasks_check_interval") < TWO_MINUTES


def test_no_more_tasks_are_queued_than_the_workers_have_slots():
    environment = filled_in("airflow-worker")

    assert environment["AIRFLOW__CORE__PARALLELISM"] == environment["AIRFLOW__CELERY__WORKER_CONCURRENCY"]


def test_airflow_knows_every_setting():
    # Read by Airflow's code, and missing in its description.
    undescribed = {"AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES"}
    known = {
        f"AIRFLOW__{section}__{option}".upper() for section, about in described().items() for option in about["options"]
    }
    known |= {f"AIRFLOW__CELERY__{option}" for option in ("BROKER_URL", "RESULT_BACKEND", "WORKER_CONCURRENCY")}
    known |= {f"AIRFLOW__OPENLINEAGE__{option}" for option in ("TRANSPORT", "NAMESPACE", "DISABLE_SOURCE_CODE")}
    used = {name for name in SERVICES["airflow-scheduler"]["environment"] if name.startswith("AIRFLOW__")}

    assert used - known == undescribed


def described():
    """Returns Airflow's description of its settings, by section."""
    return yaml.safe_load((files("airflow") / "config_templates" / "config.yml").read_text())


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
        "127.0.0.1:3000:3000",
        "127.0.0.1:8080:8080",
        "127.0.0.1:8090:8080",
        "127.0.0.1:8181:8181",
        "127.0.0.1:9090:9090",
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
    environment = filled_in("cds")
    settings = settings_from(environment)
    reached = server_at(place, settings, environment)
    servers = Servers.of(settings, [reached])
    [published] = SERVICES["fhir"]["ports"]
    outside = f"http://localhost:{published.split(':')[1]}/fhir"

    for name in (reached.base_url, outside):
        assert servers.why_not(call({}, "p", server=name, token="t")) is None
        assert servers.source_of(name).base_url == reached.base_url


@pytest.mark.parametrize("stage", STREAM)
def test_each_stage_of_the_stream_has_one_core_and_its_limit_of_memory_and_time_to_finish(stage):
    service = SERVICES[f"stream-{stage}"]
    program, group, name, *options = service["command"]
    known = {option for parameter in stream.commands[name].params for option in parameter.opts}
    given = dict(option.split("=", 1) for option in options)

    assert (service["cpus"], service["mem_limit"]) == (1, STREAM[stage])
    assert (program, group, name) == ("wardround", "stream", stage)
    assert set(given) <= known
    assert service["healthcheck"]["test"][-2] == f"http://localhost:{given['--port']}/ready"
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
