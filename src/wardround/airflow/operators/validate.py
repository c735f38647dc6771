"""Whether a server finds the resources of a folder valid."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from wardround.airflow.operators.base import FhirOperator
from wardround.fhir.client import FhirClient


class FhirValidateOperator(FhirOperator):
    """Asks the server about every resource of a folder ($validate), one request each; fails if one is invalid.

    The report has a line of NDJSON for each resource that the server has an error or a warning about, with its own
    words, which may quote the resource. It is written even if the task fails then. Returns the number of `resources`,
    how many are `invalid` (0), and how often each kind of issue came (`issues`).

    Args:
        data: a folder of *.ndjson, *.ndjson.gz and *.json: a path or fsspec URL.
        report: the path or fsspec URL of the report, in another folder; it ends with `.ndjson`.
        profile: the canonical URL of a profile; empty for those that the resources claim.
    """

    template_fields: Sequence[str] = (*FhirOperator.template_fields, "data", "report", "profile")

    def __init__(self, *, data: str, report: str, profile: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.data = data
        self.report = report
        self.profile = profile

    def work(self, client: FhirClient) -> dict[str, Any]:
        from wardround.workflows.validate import require_valid, validate

        validated = validate(client, self.data, self.report, self.profile or None)
        require_valid(validated, self.data, self.report)
        return asdict(validated)
