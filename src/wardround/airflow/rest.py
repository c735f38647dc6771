"""A running Airflow of this machine, over its REST API: DAG ids in, runs and states out."""

from collections.abc import Mapping
from typing import Any

import requests

READY = "healthy"
FINISHED = ("success", "failed")


class AirflowApi:
    """Airflow's API where SimpleAuthManager makes everyone an admin, as `environment.LOCAL` sets it."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._session = requests.Session()
        # No proxy of the surroundings belongs between two processes of one machine.
        self._session.trust_env = False

    def is_healthy(self) -> bool:
        """Whether the API answers and every component that it knows of is healthy."""
        try:
            health = self._session.get(f"{self.base_url}/api/v2/monitor/health", timeout=10).json()
        except (requests.ConnectionError, requests.Timeout):
            return False
        return all(part["status"] == READY for part in health.values() if part["status"] is not None)

    def log_in(self) -> None:
        """Asks for the token that every other call needs."""
        answer = self._session.get(f"{self.base_url}/auth/token", timeout=30)
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def knows(self, dag_id: str) -> bool:
        """Whether the DAG has been parsed."""
        return self._session.get(f"{self.base_url}/api/v2/dags/{dag_id}", timeout=30).status_code == requests.codes.ok

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Starts a run whose Params `conf` overrides; gives its id."""
        answer = self._session.post(
            f"{self.base_url}/api/v2/dags/{dag_id}/dagRuns",
            json={"logical_date": None, "conf": dict(conf)},
            timeout=30,
        )
        answer.raise_for_status()
        run_id: str = answer.json()["dag_run_id"]
        return run_id

    def state(self, dag_id: str, run_id: str) -> str:
        """queued, running, success or failed."""
        answer = self._session.get(f"{self.base_url}/api/v2/dags/{dag_id}/dagRuns/{run_id}", timeout=30)
        answer.raise_for_status()
        state: str = answer.json()["state"]
        return state

    def get(self, path: str) -> Any:
        """The JSON at a path under /api/v2."""
        answer = self._session.get(f"{self.base_url}/api/v2/{path}", timeout=30)
        answer.raise_for_status()
        return answer.json()
