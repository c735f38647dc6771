"""Controls a running Airflow on this machine through its REST API: starts DAG runs and reads their states."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import requests

from wardround.errors import WardroundError

_READY = "healthy"
PATIENCE = 90
"""Seconds. On a machine that is busy starting Airflow, the first answers take long."""
FINISHED = ("success", "failed")
_TRIES: Final = 3


class AirflowApi:
    """The API of an Airflow in which SimpleAuthManager makes everyone an admin, as set by `environment.LOCAL`."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._session = requests.Session()
        # No proxy from the environment may come between two processes of one machine.
        self._session.trust_env = False

    def is_healthy(self) -> bool:
        """Returns whether the API answers and reports all its components as healthy."""
        try:
            health = self._session.get(f"{self.base_url}/api/v2/monitor/health", timeout=PATIENCE).json()
        except (requests.ConnectionError, requests.Timeout):
            return False
        return all(part["status"] == _READY for part in health.values() if part["status"] is not None)

    def log_in(self) -> None:
        """Gets the token that every other call needs."""
        answer = self._session.get(f"{self.base_url}/auth/token", timeout=PATIENCE)
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def knows(self, dag_id: str) -> bool:
        """Returns whether the DAG has been parsed."""
        return (
            self._session.get(f"{self.base_url}/api/v2/dags/{dag_id}", timeout=PATIENCE).status_code
            == requests.codes.ok
        )

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Starts a run whose Params `conf` overrides, and returns its id.

        Airflow may answer 500 while the scheduler writes to the same SQLite file. We choose the id of the run, so that
        the request can be repeated without starting it twice.
        """
        path, run_id = f"dags/{dag_id}/dagRuns", f"manual__{datetime.now(UTC).isoformat()}"
        wanted = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        answer = self._request("POST", path, wanted)
        for _ in range(_TRIES - 1):
            if answer.status_code < requests.codes.server_error:
                break
            answer = self._request("POST", path, wanted)
            if answer.status_code == requests.codes.conflict:  # the failed request had started it
                return run_id
        started: str = _json(answer, "POST", path)["dag_run_id"]
        return started

    def state(self, dag_id: str, run_id: str) -> str:
        """Returns queued, running, success or failed."""
        state: str = self.get(f"dags/{dag_id}/dagRuns/{run_id}")["state"]
        return state

    def get(self, path: str) -> Any:
        """Returns the JSON at a path under /api/v2."""
        return self.send("GET", path)

    def send(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """Sends JSON to a path under /api/v2, and returns the JSON of the answer.

        Raises WardroundError for an error status, with the status only, because the text may repeat what was sent.
        """
        return _json(self._request(method, path, content), method, path)

    def _request(self, method: str, path: str, content: Mapping[str, Any] | None) -> requests.Response:
        return self._session.request(method, f"{self.base_url}/api/v2/{path}", json=content, timeout=PATIENCE)


def _json(answer: requests.Response, method: str, path: str) -> Any:
    if not answer.ok:
        raise WardroundError(
            f"Airflow: answered {answer.status_code} to {method} {path.partition('?')[0]}, expected success; read"
            " its log and try again"
        )
    return answer.json()
