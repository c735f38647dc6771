"""What Airflow reads of the installed package (entry point `airflow.plugins`): the pages, and what mends a form.

Every process of Airflow imports this file, workers and scheduler too; only the api-server asks for the application.
"""

from functools import cached_property
from typing import Any, ClassVar, Final

from airflow.sdk.plugins_manager import AirflowPlugin

from wardround.airflow.connection_form import PortLeftEmpty

PREFIX: Final = "wardround"
"""Where the pages lie under Airflow's own address. Without a leading slash it is right below a sub-path as well."""


class WardroundPages(AirflowPlugin):  # type: ignore[misc]  # mypy does not follow airflow
    """An entry in the navigation, a tab of every DAG and a tab of every DAG run."""

    name = "wardround"
    # Airflow takes views out of the list whose route another plugin has.
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
