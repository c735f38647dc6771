"""Who may see what, by the rights that Airflow gives on the DAG that makes it.

Aggregates and model cards are for whoever may read the DAG's runs; what names patients is for whoever may also change
them. A route without `Reader` would be open to everybody: Airflow asks for no login of its own for a plugin's routes.
"""

from typing import Annotated, Final

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.dag import DagModel
from fastapi import Depends

from wardround.airflow.pages.files import Right
from wardround.core.run_overview import Kind, RunOverview

PREFIXES: Final[dict[Kind, str]] = {"screening": "screen_icu__", "training": "train__"}
"""How the ids of the DAGs begin that make such a run; the condition's id follows."""


class Reader:
    """Who is signed in; 401 for nobody, from Airflow's own dependency."""

    def __init__(self, user: GetUserDep) -> None:
        self.user = user
        self._known: dict[tuple[str, Right], bool] = {}

    @property
    def name(self) -> str:
        """The user's name, for the log of who saw patients."""
        return str(self.user.get_name())

    def may(self, right: Right, dag_id: str) -> bool:
        """Whether the user may read (GET) or change (PUT) the runs of the DAG."""
        if (dag_id, right) not in self._known:
            self._known[dag_id, right] = bool(
                get_auth_manager().is_authorized_dag(
                    method=right,
                    access_entity=DagAccessEntity.RUN,
                    details=DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id)),
                    user=self.user,
                )
            )
        return self._known[dag_id, right]

    def may_see(self, kind: Kind, condition_id: str, right: Right = "GET", further_source: str = "") -> bool:
        """Whether the user may see what the runs of a condition come to, or with PUT the patients in them.

        What was screened at a source that has a DAG of its own is for those who may do so with that DAG.
        """
        dag_id = PREFIXES[kind] + condition_id
        return self.may(right, f"{dag_id}__{further_source}" if further_source else dag_id)

    def may_see_run(self, found: RunOverview, right: Right = "GET") -> bool:
        """Whether the user may see a run, or with PUT the patients in it."""
        return self.may_see(found.kind, found.condition, right, found.further_source)

    def may_see_cards(self, condition_id: str) -> bool:
        """Whether the user may see the model cards of a condition: those who may read its screening or its training."""
        return any(self.may_see(kind, condition_id) for kind in PREFIXES)


SignedIn = Annotated[Reader, Depends(Reader)]
