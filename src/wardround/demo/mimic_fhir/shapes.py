"""Builds the small FHIR structures of every MIMIC resource: meta, references, concepts, periods."""

from typing import Any, Final

from wardround.sources.mimic.ids import mimic_id

Resource = dict[str, Any]

MIMIC: Final = "http://mimic.mit.edu/fhir/mimic"
TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"

HOSPITAL_NPI_SYSTEM: Final = "http://hl7.org/fhir/sid/us-npi"
HOSPITAL_NPI: Final = "1194052720"
HOSPITAL_ID: Final = mimic_id("Organization", f"{HOSPITAL_NPI_SYSTEM}/{HOSPITAL_NPI}")


def meta(profile: str) -> Resource:
    """Returns `meta` with one of MIMIC's own profiles."""
    return {"profile": [f"{MIMIC}/StructureDefinition/mimic-{profile}"]}


def reference(resource_type: str, resource_id: str) -> Resource:
    return {"reference": f"{resource_type}/{resource_id}"}


def concept(system: str, code: str, display: str | None = None) -> Resource:
    """Returns a CodeableConcept with one coding."""
    return {"coding": [coding(system, code, display)]}


def coding(system: str, code: str, display: str | None = None) -> Resource:
    return {"code": code, "system": system} | ({"display": display} if display else {})


def period(start: str | None, end: str | None) -> Resource:
    """Returns a Period; an unknown or open side is left out."""
    return ({"start": start} if start else {}) | ({"end": end} if end else {})
