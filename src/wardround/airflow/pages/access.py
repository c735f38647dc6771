"""Decides who may see what, by a user's rights on the DAG that produced it.

Users who may read the DAG's runs see aggregates and model cards; only those who may also change the runs see what names
patients. A route without `Reader` would be open to everybody, since Airflow requires no login for a plugin's routes.
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
"""The prefix of the DAG ids for each kind of run; the condition's id follows it."""


class Reader:
    """The user who is signed in. Airflow's own dependency answers 401 if nobody is."""

    def __init__(self, user: GetUserDep) -> None:
        self.user = user
        self._known: dict[tuple[str, Right], bool] = {}

    @property
    def name(self) -> str:
        """The user's name, for the log entry that says who saw patients."""
        return str(self.user.get_name())

    def may(self, right: Right, dag_id: str) -> bool:
        """Returns whether the user may read (GET) or change (PUT) the runs of the DAG."""
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
        """Returns whether the user may see the runs of a condition, or with PUT also the patients in them.

        For a source with its own DAG, the rights on that DAG count.
        """
        dag_id = PREFIXES[kind] + condition_id
        return self.may(right, f"{dag_id}__{further_source}" if further_source else dag_id)

    def may_see_run(self, found: RunOverview, right: Right = "GET") -> bool:
        """Returns whether the user may see a run, or with PUT also the patients in it."""
        return self.may_see(found.kind, found.condition, right, found.further_source)

    def may_see_cards(self, condition_id: str) -> bool:
        """Returns whether the user may see a condition's model cards: reading its screening or training is enough."""
        return any(self.may_see(kind, condition_id) for kind in PREFIXES)


SignedIn = Annotated[Reader, Depends(Reader)]
