"""Finds the stays on a FHIR server: Encounters by class, type and Location, or by date."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from wardround.core.stays import FoundStays
from wardround.errors import FhirError
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.sources.fhir import locations
from wardround.sources.fhir.encounter_rule import EncounterRule
from wardround.sources.fhir.encounter_search import Criterion, begin, complete, encounters_of
from wardround.sources.fhir.encounters import EncounterRecords
from wardround.spec.cohorts import Encounters


def find(
    client: FhirClient, encounters: Encounters, start: datetime | None = None, as_of: datetime | None = None
) -> FoundStays:
    """Returns the stays that overlap [start, as_of]; without these times, all stays of the server.

    `encounters` decides what counts as a stay (see `EncounterRule`), whatever the server can search by. Patients and
    Locations come with the Encounters, or are fetched if the server does not include them.

    Raises:
        FhirError: the server cannot be used, does not know a Location, or finds Encounters by patient only.
    """
    records, rule = begin(client, encounters)
    for criteria in _narrowed(client.source, rule, records):
        records.add(encounters_of(client, criteria, start, as_of))
    return complete(records, client, rule, start, as_of)


def _narrowed(source: FhirEndpoint, rule: EncounterRule, records: EncounterRecords) -> Iterator[Sequence[Criterion]]:
    """Yields the criteria that find the Encounters, as narrow as the server's profile allows."""
    profile = source.profile
    if profile.encounter_needs_patient:
        raise FhirError(
            f"{source.base_url}: {profile.title} finds Encounters only by patient, expected a cohort of patients;"
            " screen a Group, a List or a file of patient ids"
        )
    places = [f"Location/{key}" for key in sorted(locations.inside(records.locations, rule.locations))]
    wanted: list[Criterion] = [
        ("class", sorted(rule.classes)),
        ("type", sorted(rule.types)),
        ("location", places),
    ]
    narrow = [(name, values) for name, values in wanted if values]
    findable = profile.has_location_parts or not places
    if findable and all(name in profile.encounter_by for name, _ in narrow):
        yield from ([criterion] for criterion in narrow)
    else:
        yield []
