"""Builds the AIRFLOW_* variables with which Airflow is started, from paths and a FHIR address.

The demo, `wardround up` and the tests start Airflow with `local_environment`; docker-compose.yaml repeats EVERYWHERE,
and a test compares the two. Nothing here imports airflow, because airflow reads these variables when it is imported.
"""

import json
import os
from pathlib import Path

from wardround.airflow.provider import CONNECTION_TYPE, DEFAULT_CONNECTION
from wardround.settings import Settings, places_in_environment

# The same on one machine and on many.
EVERYWHERE = {
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    # Schedules are on from the start: nobody has to switch on the DAG of a new condition file.
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "8",
    # The Test button of the connection form.
    "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
    # A worker slot may stay occupied for this long after its task has ended; the default is 5 s.
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    # A task fails if Airflow's api-server does not answer in time; the default of 5 s is too short on a busy machine.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
}

# One machine with SQLite, which is safe up to about 16 parallel tasks and failed with 32.
LOCAL = {
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__PARALLELISM": "4",
    # Only users of this machine reach the loopback address, so that no password has to be stored.
    "AIRFLOW__API__HOST": "127.0.0.1",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
}


def local_environment(settings: Settings, airflow_home: Path, fhir_base_url: str) -> dict[str, str]:
    """Returns the variables for Airflow on this machine: database in `airflow_home`, our DAGs, one FHIR connection.

    The project's config/ folder is put on PYTHONPATH, because Airflow looks there for airflow_local_settings.
    """
    connection = {"conn_type": CONNECTION_TYPE, "host": fhir_base_url}
    python_path = [str(settings.home / "config"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **EVERYWHERE,
        **LOCAL,
        "AIRFLOW_HOME": str(airflow_home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(settings.home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(settings.home / "plugins"),
        f"AIRFLOW_CONN_{DEFAULT_CONNECTION.upper()}": json.dumps(connection),
        "PYTHONPATH": os.pathsep.join(python_path),
        **places_in_environment(settings),
    }
