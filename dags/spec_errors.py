"""Defines no DAG: this file shows up under Airflow's import errors while a file in include/schemas is invalid.

The other DAG files leave out the invalid condition and keep the others running.
"""

from wardround.settings import settings_from
from wardround.spec.loading import load_conditions

load_conditions(settings_from().schemas)
