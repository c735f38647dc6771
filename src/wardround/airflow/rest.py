"""A running Airflow of this machine, over its REST API: DAG ids in, runs and states out."""

from collections.abc import Mapping
from typing import Any

import requests

from wardround.errors import WardroundError

READY = "healthy"
PATIENCE = 90
"""Seconds: on a machine that is busy starting Airflow the first answers take long."""
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
            health = self._session.get(f"{self.base_url}/api/v2/monitor/health", timeout=PATIENCE).json()
        except (requests.ConnectionError, requests.Timeout):
            return False
        return all(part["status"] == READY for part in health.values() if part["status"] is not None)

    def log_in(self) -> None:
        """Asks for the token that every other call needs."""
        answer = self._session.get(f"{self.base_url}/auth/token", timeout=PATIENCE)
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def knows(self, dag_id: str) -> bool:
        """Whether the DAG has been parsed."""
        return (
            self._session.get(f"{self.base_url}/api/v2/dags/{dag_id}", timeout=PATIENCE).status_code
            == requests.codes.ok
        )

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Starts a run whose Params `conf` overrides; gives its id."""
        run_id: str = self.send("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": dict(conf)})[
            "dag_run_id"
        ]
        return run_id

    def state(self, dag_id: str, run_id: str) -> str:
        """queued, running, success or failed."""
        state: str = self.get(f"dags/{dag_id}/dagRuns/{run_id}")["state"]
        return state

    def get(self, path: str) -> Any:
        """The JSON at a path under /api/v2."""
        return self.send("GET", path)

    def send(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """Sends JSON to a path under /api/v2, and gives the JSON of the answer.

        Raises WardroundError, with the status alone, for an answer that is none: its text may hold what was sent.
        """
        answer = self._session.request(method, f"{self.base_url}/api/v2/{path}", json=content, timeout=PATIENCE)
        if not answer.ok:
            raise WardroundError(
                f"Airflow: answered {answer.status_code} to {method} {path.partition('?')[0]}, expected success; read"
                " its log, and try again"
            )
        return answer.json()
