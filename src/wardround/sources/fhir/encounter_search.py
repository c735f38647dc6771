"""The common part of all searches for stays: which Encounters count, the time span, Patients and Locations."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from wardround.core.stays import FoundStays
from wardround.errors import FhirError
from wardround.fhir.client import FhirClient
from wardround.fhir.references import Resource, is_id
from wardround.fhir.times import ANY_ZONE, no_earlier_than, no_later_than
from wardround.sources.fhir import locations as fhir_locations
from wardround.sources.fhir.encounter_rule import EncounterRule
from wardround.sources.fhir.encounters import EncounterRecords
from wardround.sources.fhir.hospital_search import with_hospital_begins
from wardround.sources.fhir.stay_of_encounter import GOING_ON, is_timeless
from wardround.spec.cohorts import Encounters

Criterion = tuple[str, str | Sequence[str]]

_INCLUDES: Final = [("_include", "Encounter:patient"), ("_include", "Encounter:location")]
_IDS_PER_SEARCH: Final = 100
# Whole Encounters come with whole Patients: 5,000 of each take 40 MiB, while all that is kept of a hospital takes 100.
_MOST_ON_A_PAGE: Final = 2_000
_DEEPEST: Final = 20  # a bed in a room in a ward in a wing in a building in a site makes six


def begin(client: FhirClient, encounters: Encounters) -> tuple[EncounterRecords, EncounterRule]:
    """Returns the records of the given Locations and of what is inside them, and the rule with their ids.

    Raises FhirError for an unknown Location.
    """
    if not encounters.named:
        raise FhirError(
            f"{client.source.base_url}: neither a class nor a Location defines which Encounters are stays,"
            " expected one; set icu_classes or icu_locations"
        )
    records = EncounterRecords(client.source.bases)
    add_locations(records, client, encounters.locations)
    locations = fhir_locations.meant(records.locations, encounters.locations, client.source.base_url, FhirError)
    return records, rule_of(encounters, locations)


def rule_of(encounters: Encounters, locations: Iterable[str]) -> EncounterRule:
    """Returns the rule, with the ids of the Locations that `encounters` names."""
    return EncounterRule(frozenset(encounters.classes), frozenset(locations), frozenset(encounters.types))


def add_locations(records: EncounterRecords, client: FhirClient, names: Sequence[str]) -> None:
    """Adds the Locations of these names or ids and, if the server finds them, those inside."""
    if not names:
        return
    records.add(client.search("Location", [("name", names)]))
    ids = [key for key in (name.removeprefix("Location/") for name in names) if is_id(key)]
    if ids:
        records.add(client.search("Location", [("_id", ids)]))
    if client.source.profile.has_location_parts:
        _add_parts(records, client, [key for name in names for key in fhir_locations.called(records.locations, name)])


def encounters_of(
    client: FhirClient, criteria: Sequence[Criterion], start: datetime | None, as_of: datetime | None
) -> Iterator[Resource]:
    """Yields the Encounters of [start, as_of] that meet the criteria, and what comes with them, as the profile allows.

    One search is by date, in whatever zone the server takes a date to be. No date finds an Encounter without a period:
    those that may be going on are searched for by status, or, patient by patient, together with all others.
    """
    profile = client.source.profile
    dates: list[Criterion] = [("date", no_earlier_than(start - ANY_ZONE))] if start else []
    dates += [("date", no_later_than(as_of + ANY_ZONE))] if as_of else []
    by_status = "status" in profile.encounter_by
    if "date" not in profile.encounter_by or (profile.encounter_needs_patient and not by_status):
        dates = []
    page: Criterion = ("_count", str(min(client.source.page_size, _MOST_ON_A_PAGE)))
    yield from client.search("Encounter", [*criteria, *dates, *(_INCLUDES if profile.has_include else []), page])
    if dates and by_status:
        going_on = client.search("Encounter", [*criteria, ("status", GOING_ON), page])
        # The others were found by date; anyone admitted since does not belong to this search.
        yield from (encounter for encounter in going_on if is_timeless(encounter))


def complete(
    records: EncounterRecords, client: FhirClient, rule: EncounterRule, start: datetime | None, as_of: datetime | None
) -> FoundStays:
    """Returns the stays of the records, after fetching Patients and Locations missing from the span's Encounters.

    Also fetches the Encounters that these stays are parts of (see `hospital_search`).
    """
    add_missing(records, client, rule, start, as_of)
    return with_hospital_begins(client, records, records.stays(rule, start, as_of), rule)


def add_missing(
    records: EncounterRecords, client: FhirClient, rule: EncounterRule, start: datetime | None, as_of: datetime | None
) -> None:
    """Adds the Patients and Locations that the span's Encounters refer to and that are missing."""
    for resource_type, ids in records.missing(start, as_of).items():
        _add_by(records, client, resource_type, "_id", ids)
    if rule.locations and not client.source.profile.has_location_parts:
        _add_wholes_of_locations(records, client)


def _add_parts(records: EncounterRecords, client: FhirClient, locations: Collection[str]) -> None:
    """Adds the Locations inside these Locations, level by level."""
    asked: set[str] = set()
    for _ in range(_DEEPEST):
        new = fhir_locations.inside(records.locations, locations).keys() - asked
        if not new:
            return
        _add_by(records, client, "Location", "partof", [f"Location/{key}" for key in sorted(new)])
        asked |= new
    raise _too_deep(client)


def _add_wholes_of_locations(records: EncounterRecords, client: FhirClient) -> None:
    """Adds the Locations that the known ones are parts of, level by level."""
    asked: set[str] = set()
    for _ in range(_DEEPEST):
        wholes = {fhir_locations.whole_of(location) for location in records.locations.values()}
        new = wholes - records.locations.keys() - asked - {""}
        if not new:
            return
        _add_by(records, client, "Location", "_id", sorted(new))
        asked |= new
    raise _too_deep(client)


def _too_deep(client: FhirClient) -> FhirError:
    return FhirError(
        f"{client.source.base_url}: Locations are nested more than {_DEEPEST} levels deep, expected a bed in a"
        " unit; correct partOf"
    )


def _add_by(
    records: EncounterRecords, client: FhirClient, resource_type: str, name: str, values: Sequence[str]
) -> None:
    size = min(_IDS_PER_SEARCH, client.source.patients_per_search)
    for place in range(0, len(values), size):
        records.add(client.search(resource_type, [(name, values[place : place + size])]))
