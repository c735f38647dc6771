"""A screening of a server, and what the server holds of it afterwards."""

from collections.abc import Callable
from typing import Any

from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.profiles import fit_of, with_profile
from wardround.fhir.references import Resource
from wardround.settings import Settings, settings_from
from wardround.workflows.screen import Means, ScreeningRequest, require_complete, screen


def recognised(base_url: str, **source: Any) -> FhirEndpoint:
    """Returns the server with the profile that its CapabilityStatement points to."""
    endpoint = FhirEndpoint(base_url, **source)
    with FhirClient(endpoint) as client:
        return with_profile(endpoint, fit_of(client, settings_from().schemas).profile)


def screened(source: FhirEndpoint, settings: Settings, as_of: str, **request: Any) -> dict[str, Any]:
    """Screens for sepsis, in chunks of three stays; returns the summary of a run that is complete."""
    asked = ScreeningRequest(condition="sepsis", source_url=source.base_url, as_of=as_of, chunk_size=3, **request)
    summary: dict[str, Any] = screen(asked, Means(source, settings, lambda *_: None)).as_json()
    require_complete(summary["run"], settings)
    return summary


def results(source: FhirEndpoint, as_of: str) -> tuple[list[Resource], list[Resource]]:
    """Returns the RiskAssessments of a prediction time that count, and their Provenances."""
    with FhirClient(source) as client:
        risks = _sorted(client, "RiskAssessment", lambda one: one["occurrenceDateTime"] == as_of and _counts(one))
        ids = {f"RiskAssessment/{risk['id']}" for risk in risks}
        return risks, _sorted(client, "Provenance", lambda one: one["target"][0]["reference"] in ids)


def stays_of(risks: list[Resource]) -> list[str]:
    """Returns the Encounters of RiskAssessments, in order: each once if every stay has one result."""
    return sorted(str(risk["encounter"]["reference"]) for risk in risks)


def scores_of(risks: list[Resource]) -> dict[str, float]:
    return {str(risk["encounter"]["reference"]): risk["prediction"][0]["probabilityDecimal"] for risk in risks}


def _counts(risk: Resource) -> bool:
    return str(risk["status"]) != "entered-in-error"


def _sorted(client: FhirClient, kind: str, chosen: Callable[[Resource], bool]) -> list[Resource]:
    return sorted(filter(chosen, client.search(kind, {})), key=lambda one: str(one["id"]))
