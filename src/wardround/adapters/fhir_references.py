"""FHIR References in, ids out; and ids in, the values of a search for patients out."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from wardround.spec.servers import ServerProfile

Resource = dict[str, Any]


def id_in(reference: object, resource_type: str) -> str:
    """The id that a Reference to this type holds, be it relative, absolute or with a version; empty if none."""
    text = reference.get("reference") if isinstance(reference, dict) else None
    return id_in_text(str(text), resource_type)


# A page of Observations names few patients and many times over.
@lru_cache(maxsize=4096)
def id_in_text(text: str, resource_type: str) -> str:
    """The id of a Reference's `reference`; empty if it is to another type."""
    parts = text.partition("/_history/")[0].split("/")
    return parts[-1] if len(parts) >= 2 and parts[-2] == resource_type else ""


def patient_of(resource: Resource) -> str:
    """The id of the Patient that `subject` refers to; empty if none."""
    return id_in(resource.get("subject"), "Patient")


def locations_of(encounter: Resource) -> list[str]:
    """The ids of the Locations of an Encounter's parts, in their order; empty where a part names none."""
    parts = encounter.get("location")
    if not isinstance(parts, list):
        return []
    return [id_in(part.get("location") if isinstance(part, dict) else None, "Location") for part in parts]


def patient_values(patient_ids: Iterable[str], profile: ServerProfile) -> list[str]:
    """The patients as the server wants them named in a search."""
    return [f"Patient/{key}" if profile.references == "type_and_id" else key for key in patient_ids]
