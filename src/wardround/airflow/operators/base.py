"""What the FHIR operators have in common: a connection, and errors without a patient's value."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from airflow.sdk import BaseOperator

from wardround.airflow.guard import guarded
from wardround.airflow.hook import FhirHook
from wardround.airflow.provider import DEFAULT_CONNECTION
from wardround.fhir.client import FhirClient


class FhirOperator(BaseOperator):  # type: ignore[misc]  # mypy does not follow airflow
    """Works with the FHIR server of a connection. Its result goes to XCom and holds places and counts only."""

    template_fields: Sequence[str] = ("fhir_conn_id",)
    ui_color: ClassVar[str] = "#f6d5cf"

    def __init__(self, *, fhir_conn_id: str = DEFAULT_CONNECTION, **options: Any) -> None:
        super().__init__(**options)
        self.fhir_conn_id = fhir_conn_id

    def execute(self, context: Any) -> dict[str, Any]:  # noqa: ARG002 - Airflow gives it by name
        """Does the work. An error that is not ours shows only its type: its message may quote a resource."""
        return guarded(self._connected)()

    def _connected(self) -> dict[str, Any]:
        with FhirHook(self.fhir_conn_id).get_conn() as client:
            return self.work(client)

    @abstractmethod
    def work(self, client: FhirClient) -> dict[str, Any]:
        """Does the work, and returns what goes to XCom."""

    def progress(self, step: str, done: int, total: int) -> None:
        """Logs how far a step is."""
        self.log.info("%s: %d of %d", step, done, total)
