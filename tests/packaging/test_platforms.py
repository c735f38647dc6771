"""The metadata allow what managed Airflows fix: where they exclude a pin, the package cannot be installed at all."""

import tomllib

from packaging.requirements import Requirement

from wardround.settings import PROJECT

# What Amazon MWAA installs with Airflow 3.3.1 and passes to pip as constraints: aws/amazon-mwaa-docker-images at
# 9d2bebb of 20 August 2026, images/airflow/3.3.1/etc/airflow_constraints.txt, looked up on 30 November 2026. It is
# Airflow's own list for that version, from which other platforms start too. Of it, what Wardround requires.
MWAA = {
    "alembic": "1.19.0",
    "apache-airflow": "3.3.1",
    "click": "8.4.2",
    "croniter": "6.2.4",
    "cryptography": "50.0.0",
    "fsspec": "2026.7.0",
    "jinja2": "3.1.6",
    "joblib": "1.5.3",
    "msgspec": "0.21.1",
    "opentelemetry-exporter-otlp-proto-http": "1.44.0",
    "opentelemetry-sdk": "1.44.0",
    "orjson": "3.11.9",
    "pandas": "3.0.5",
    "psutil": "7.2.2",
    "pyarrow": "25.0.0",
    "pydantic": "2.13.4",
    "pyjwt": "2.13.0",
    "python-dotenv": "1.2.2",
    "pyyaml": "6.0.3",
    "requests": "2.34.2",
    "rich": "14.3.4",
    "s3fs": "2026.7.0",
    "scipy": "1.18.0",
    "sqlalchemy": "2.0.51",
    "starlette": "1.5.0",
    "uvicorn": "0.52.1",
}
# Not in that list: pip chooses them.
CHOSEN_BY_PIP = {"duckdb", "fhir.resources", "great-expectations", "scikit-learn", "xgboost-cpu"}
METADATA = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WANTED = {one.name: one for one in map(Requirement, METADATA["dependencies"] + METADATA["optional-dependencies"]["s3"])}


def test_every_package_that_mwaa_fixes_is_one_that_the_metadata_allow() -> None:
    assert {name: pin for name, pin in MWAA.items() if not WANTED[name].specifier.contains(pin)} == {}


def test_every_required_package_was_looked_up() -> None:
    assert set(WANTED) == MWAA.keys() | CHOSEN_BY_PIP
