"""Airflow imports this file when it starts, from the folder config/ on PYTHONPATH."""

import sys

from airflow.configuration import conf

from wardround.airflow.preload import preload

__all__: list[str] = []  # Airflow would take every name for a setting of its own

preload(sys.argv, conf.get("core", "executor"))
