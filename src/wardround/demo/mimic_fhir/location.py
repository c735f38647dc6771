"""Converts care units to Locations, and returns the one Organization that they all belong to."""

from wardround.demo.mimic_fhir.shapes import (
    HOSPITAL_ID,
    HOSPITAL_NPI,
    HOSPITAL_NPI_SYSTEM,
    TERMINOLOGY,
    Resource,
    concept,
    meta,
    reference,
)
from wardround.sources.mimic.ids import mimic_id


def location_id(careunit: str) -> str:
    """Returns the Location's id, derived from the name, because MIMIC has no other key for a care unit."""
    return mimic_id("Location", careunit)


def location(careunit: str) -> Resource:
    return {
        "resourceType": "Location",
        "id": location_id(careunit),
        "meta": meta("location"),
        "status": "active",
        "name": careunit,
        "physicalType": concept(f"{TERMINOLOGY}/location-physical-type", "wa", "Ward"),
        "managingOrganization": reference("Organization", HOSPITAL_ID),
    }


def organization() -> Resource:
    """Returns the hospital that MIMIC comes from."""
    return {
        "resourceType": "Organization",
        "id": HOSPITAL_ID,
        "meta": meta("organization"),
        "identifier": [{"value": HOSPITAL_NPI, "system": HOSPITAL_NPI_SYSTEM}],
        "active": True,
        "type": [concept(f"{TERMINOLOGY}/organization-type", "prov", "Healthcare Provider")],
        "name": "Beth Israel Deaconess Medical Center",
    }
