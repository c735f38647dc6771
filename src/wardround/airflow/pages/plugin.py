"""The Airflow plugin of this package (entry point `airflow.plugins`): the pages, and a fix for the connection form.

Every Airflow process imports this file, including workers and scheduler; only the api-server needs the application.
"""

from functools import cached_property
from typing import Any, ClassVar, Final

from airflow.sdk.plugins_manager import AirflowPlugin

from wardround.airflow.connection_form import PortLeftEmpty

PREFIX: Final = "wardround"
"""The path of the pages under Airflow's address. Without a leading slash, links also work below a sub-path."""


class WardroundPages(AirflowPlugin):  # type: ignore[misc]  # mypy does not follow airflow
    """Adds an entry to the navigation, and a tab to every DAG and every DAG run."""

    name = "wardround"
    # Airflow drops views whose route another plugin already uses.
    external_views: ClassVar[list[dict[str, str]]] = [
        {
            "name": "Wardround reports",
            "href": f"{PREFIX}/runs",
            "destination": "nav",
            "url_route": "wardround-reports",
            "category": "browse",
        },
        {
            "name": "Ward reports",
            "href": f"{PREFIX}/dags/{{DAG_ID}}",
            "destination": "dag",
            "url_route": "ward-reports",
        },
        {
            "name": "Ward report",
            "href": f"{PREFIX}/dags/{{DAG_ID}}/runs/{{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "ward-report",
        },
    ]

    fastapi_root_middlewares: ClassVar[list[dict[str, Any]]] = [
        {"name": "Wardround: test of a FHIR connection", "middleware": PortLeftEmpty}
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:
        from wardround.airflow.pages.app import create_app

        return [{"app": create_app(), "url_prefix": f"/{PREFIX}", "name": "Wardround"}]
