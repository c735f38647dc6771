"""From a search to an NDJSON file."""

from collections.abc import Sequence
from typing import Any, ClassVar

from wardround.airflow.operators.base import FhirOperator
from wardround.fhir.client import FhirClient, Params


class FhirSearchToNdjsonOperator(FhirOperator):
    """Writes all that a search finds into one file: each resource once, sorted by type and id, as the server sent it.

    The file is whole or absent, and running it again replaces it. Returns `path`, and `resources` per type.

    Args:
        resource_type: such as `Observation`.
        query: search parameters, such as `{"code": "http://loinc.org|2524-7"}`; pairs if one is repeated. A string is
            sent as it is; of a list, any value may match. Airflow stores what it renders: put no patient's name here.
        path: the path or fsspec URL of the file; it ends with `.ndjson`.
    """

    template_fields: Sequence[str] = (*FhirOperator.template_fields, "resource_type", "query", "path")
    template_fields_renderers: ClassVar[dict[str, str]] = {"query": "json"}

    def __init__(self, *, resource_type: str, query: Params, path: str, **options: Any) -> None:
        super().__init__(**options)
        self.resource_type = resource_type
        self.query = query
        self.path = path

    def work(self, client: FhirClient) -> dict[str, Any]:
        from wardround.workflows.search_to_ndjson import search_to_ndjson

        return {"path": self.path, "resources": search_to_ndjson(client, self.resource_type, self.query, self.path)}
