"""The REST API of the stack's Airflow, which has users and passwords."""

from wardround.demo.airflow_rest import PATIENCE, AirflowApi


class StackApi(AirflowApi):
    """Signs in as Flask-AppBuilder's auth manager wants it."""

    def sign_in(self, user: str, password: str) -> None:
        answer = self._session.post(
            f"{self.base_url}/auth/token", json={"username": user, "password": password}, timeout=PATIENCE
        )
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
