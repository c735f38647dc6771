"""Tests that what docker-compose.yaml says is taken over, and that what the stack cannot take over is an error."""

from pathlib import Path

import pytest
from tests.stack.compose import NOBODY, Compose, copied, image_variables, placed
from tests.stack.stack import STARTED, values

COMPOSE = Compose(values())


def here(text: str) -> str:
    def folder(place: str) -> str:
        if not place.startswith("/data"):
            raise ValueError(f"{place}: unknown")
        return f"/stack{place}"

    return placed(text, "airflow-scheduler", COMPOSE, lambda _, port: 10_000 + port, folder)


def test_each_airflow_service_has_the_files_environment_and_the_images() -> None:
    scheduler = COMPOSE.service("airflow-scheduler")

    assert scheduler.command == ("airflow", "scheduler")
    assert scheduler.environment["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert scheduler.environment["AIRFLOW__CORE__PARALLELISM"] == "8"
    assert scheduler.environment["AIRFLOW_HOME"] == "/opt/airflow"
    assert "FHIR_DEFAULT_TOKEN" not in scheduler.environment
    assert scheduler.volumes["/runs"] == "runs"
    assert COMPOSE.service("cds").volumes["/opt/wardround/cds"] == "./deploy/cds"


def test_what_the_scripts_of_the_file_ask_of_their_shell_stays() -> None:
    [*_, script] = COMPOSE.service("airflow-init").command

    assert '--username "$ADMIN_USER"' in script


def test_every_service_that_the_stack_starts_can_be_filled_in() -> None:
    for name in STARTED:
        service = COMPOSE.service(name)
        assert service.name == name


def test_a_variable_without_a_value_is_an_error() -> None:
    known = values()
    del known["AIRFLOW_FERNET_KEY"]

    with pytest.raises(ValueError, match=r"no value for .*AIRFLOW_FERNET_KEY"):
        Compose(known).service("airflow-scheduler")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("http://airflow-apiserver:8080/execution/", "http://127.0.0.1:18080/execution/"),
        (
            "postgresql+psycopg2://airflow:s3-_t@postgres/airflow",
            "postgresql+psycopg2://airflow:s3-_t@127.0.0.1:15432/airflow",
        ),
        ("redis://:s3t@redis:6379/0", "redis://:s3t@127.0.0.1:16379/0"),
        ("http://localhost:8080/wardround", "http://127.0.0.1:18080/wardround"),
        ("http://localhost:8090/fhir", "http://127.0.0.1:18080/fhir"),
        ("http://localhost:8974/health", "http://127.0.0.1:18974/health"),
        ("http://otel-collector:4318", f"http://127.0.0.1:{NOBODY}"),
        ("/data/mimic", "/stack/data/mimic"),
        ("--db=/data/x", "--db=/stack/data/x"),
        ("http/protobuf", "http/protobuf"),
        ("^pool\\.[a-z]+_slots$", "^pool\\.[a-z]+_slots$"),
    ],
)
def test_hosts_and_folders_are_replaced_and_nothing_else(text, found) -> None:
    assert here(text) == found


@pytest.mark.parametrize("text", ["http://elsewhere:80/x", "redis://cache:6379/0", "/elsewhere", "--db=/srv/x"])
def test_a_host_or_a_folder_that_the_stack_has_not_is_an_error(text) -> None:
    with pytest.raises(ValueError, match=r"none of the services|unknown"):
        here(text)


def test_the_dockerfile_says_what_the_image_holds() -> None:
    assert {"src", "dags", "include/schemas", "pyproject.toml"} <= set(copied())
    assert image_variables()["PYTHONPATH"] == "/opt/wardround/config"
    assert Path(image_variables()["WARDROUND_HOME"]).is_absolute()
