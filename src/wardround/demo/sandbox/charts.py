"""Reads what an EHR knows of its patients from a FHIR server, and fills the prefetch of a service with it.

It sees patient values; it never logs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any, Final
from urllib.parse import parse_qsl

from wardround.demo.sandbox.templates import filled
from wardround.errors import FhirError, FhirRefused, FhirUnreachable
from wardround.fhir.client import FhirClient
from wardround.fhir.references import Resource, is_id

IN_PROGRESS: Final = "in-progress"


@dataclass(frozen=True)
class Prefetch:
    """What an EHR sends along, by key, and the keys that it leaves out because it cannot ask or was not answered."""

    content: dict[str, Any]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chart:
    """The patients of a FHIR server. Its functions raise FhirUnreachable or FhirRefused."""

    client: FhirClient

    def patients(self, most: int | None = None) -> list[str]:
        """Returns the ids of at most so many Patients, sorted if it is all of them."""
        found = (one.get("id") for one in self.client.search("Patient", {}) if one.get("resourceType") == "Patient")
        return sorted(islice((str(one) for one in found if is_id(one)), most))

    def encounter_of(self, patient_id: str) -> str | None:
        """Returns the id of the patient's Encounter in progress that began last."""
        return latest_encounter(self.client.search("Encounter", {"patient": patient_id, "status": IN_PROGRESS}))

    def prefetch(self, templates: Mapping[str, str], context: Mapping[str, Any], today: date) -> Prefetch:
        """Returns what the templates ask for: resources of reads, Bundles of whole searches."""
        content: dict[str, Any] = {}
        for key, template in templates.items():
            asked = filled(template, context, today)
            answer = self.answer(asked) if asked is not None else None
            if answer is not None:
                content[key] = answer
        return Prefetch(content, tuple(key for key in templates if key not in content))

    def answer(self, asked: str) -> Resource | None:
        """Returns what the server answers; None if it cannot."""
        path, search, query = asked.partition("?")
        try:
            if not search:
                return self.client.read(path)
            return searchset(self.client.search(path, parse_qsl(query, keep_blank_values=True)))
        except (FhirUnreachable, FhirRefused):
            raise
        except FhirError:
            return None


def searchset(resources: Iterator[Resource]) -> Resource:
    """Returns the Bundle that answers a search; without entries if there is nothing."""
    entries = [{"resource": one} for one in resources]
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    return {**bundle, "entry": entries} if entries else bundle


def latest_encounter(resources: Iterator[Resource]) -> str | None:
    """Returns the id of the Encounter in progress that began last, of resources of any type."""
    begun = [
        (str(_period(one).get("start", "")), str(one["id"]))
        for one in resources
        if one.get("resourceType") == "Encounter" and one.get("status") == IN_PROGRESS and is_id(one.get("id"))
    ]
    return max(begun)[1] if begun else None


def _period(encounter: Resource) -> Resource:
    found = encounter.get("period")
    return found if isinstance(found, dict) else {}
