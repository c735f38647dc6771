"""Defines no DAG: this file shows up under Airflow's import errors while a file in include/schemas, or that of the
stream's settings, is invalid.

The other DAG files leave out the invalid condition and keep the others running.
"""

from wardround.settings import settings_from
from wardround.spec.loading import load_conditions, load_stream

load_conditions(settings_from().schemas)
if settings_from().stream.is_file():
    load_stream(settings_from().stream)
