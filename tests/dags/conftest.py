"""Provides the project's DAGs, parsed in the same way as by Airflow's dag-processor."""

import pytest

from wardround.settings import PROJECT


@pytest.fixture(scope="session")
def dagbag(airflow_database):
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(PROJECT / "dags")
