"""Reads Encounters by their ids."""

from collections.abc import Iterable, Sequence

from wardround.fhir.client import FhirClient
from wardround.fhir.page import WHOLE, Shape
from wardround.fhir.references import Resource


def encounters_by_id(
    client: FhirClient, ids: Sequence[str], shape: Shape[Resource] = WHOLE, with_patients: bool = False
) -> Iterable[Resource]:
    """Returns the Encounters that the server has, and with them their Patients if it includes any.

    One search, whose resources are decoded into `shape`; or reads, in batches, from a server that finds Encounters by
    patient only.
    """
    profile = client.source.profile
    if not ids:
        return ()
    if profile.encounter_needs_patient:
        reads = [{"request": {"method": "GET", "url": f"Encounter/{key}"}} for key in ids]
        return [answer["resource"] for answer in client.batch(reads) if isinstance(answer.get("resource"), dict)]
    include = [("_include", "Encounter:patient")] if with_patients and profile.has_include else []
    return client.search("Encounter", [("_id", ids), *include], shape)
