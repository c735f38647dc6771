"""The project's DAGs, parsed as Airflow's dag-processor parses them."""

import pytest

from wardround.settings import PROJECT


@pytest.fixture(scope="session")
def dagbag(airflow_database):
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(PROJECT / "dags")
