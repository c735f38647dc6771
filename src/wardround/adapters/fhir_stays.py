"""A FHIR server in, its ICU stays out: Encounters found by class and ICU Location, or by date."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from wardround.adapters.fhir_client import FhirClient
from wardround.adapters.fhir_encounters import Census, IcuRule
from wardround.adapters.fhir_source import FhirSource
from wardround.adapters.fhir_times import no_earlier_than, no_later_than
from wardround.core.stays import FoundStays
from wardround.errors import FhirError

_ID: Final = re.compile(r"(Location/)?[A-Za-z0-9\-.]{1,64}")
_IDS_PER_SEARCH: Final = 100
_Search = Sequence[tuple[str, str | Sequence[str]]]
_INCLUDES: Final = [("_include", "Encounter:patient"), ("_include", "Encounter:location")]


def find(client: FhirClient, start: datetime | None = None, as_of: datetime | None = None) -> FoundStays:
    """The stays that overlap [start, as_of]; without them, all stays of the server.

    What counts as an ICU stay is said by the source's `icu_classes` and `icu_locations` (see `IcuRule`), whatever the
    server can search by. Patients and Locations come with the Encounters, or are asked for where it does not include
    them.

    Raises:
        FhirError: the server cannot be used, does not know an ICU Location, or finds Encounters by patient only.
    """
    classes, locations = client.source.icu_classes, _icu_locations(client)
    dates = [("date", no_earlier_than(start))] if start else []
    dates += [("date", no_later_than(as_of))] if as_of else []
    census = Census()
    for params in _searches(client.source, locations, dates):
        census.add(client.search("Encounter", params))
    size = min(_IDS_PER_SEARCH, client.source.patients_per_search)
    for resource_type, ids in census.missing().items():
        for place in range(0, len(ids), size):
            census.add(client.search(resource_type, [("_id", ids[place : place + size])]))
    return census.stays(IcuRule(frozenset(classes), locations), start, as_of)


def _searches(source: FhirSource, locations: frozenset[str], dates: _Search) -> Iterator[_Search]:
    """The searches that find the Encounters, as narrow as the server's profile allows."""
    profile = source.profile
    if profile.encounter_needs_patient:
        raise FhirError(
            f"{source.base_url}: {profile.title} finds Encounters by patient only, expected a cohort of patients;"
            " screen a Group, a List or a file of patient ids"
        )
    rest = [*(dates if "date" in profile.encounter_by else []), *(_INCLUDES if profile.has_include else [])]
    references = [f"Location/{location}" for location in sorted(locations)]
    wanted: _Search = [("class", source.icu_classes), ("location", references)]
    narrow = [(name, values) for name, values in wanted if values]
    if all(name in profile.encounter_by for name, _ in narrow):
        yield from ([criterion, *rest] for criterion in narrow)
    else:
        yield rest


def _icu_locations(client: FhirClient) -> frozenset[str]:
    """The ids of the source's ICU Locations, given by name or by id."""
    names = client.source.icu_locations
    if not names:
        return frozenset()
    known = Census()
    known.add(client.search("Location", [("name", names)]))
    ids = [name.removeprefix("Location/") for name in names if _ID.fullmatch(name)]
    if ids:
        known.add(client.search("Location", [("_id", ids)]))
    found = {name: known.locations_called(name) for name in names}
    unknown = [name for name in names if not found[name]]
    if unknown:
        raise FhirError(
            f"{client.source.base_url}: no Location {unknown[0]!r}, expected its name or id; correct icu_locations"
        )
    return frozenset(location for ids_of_name in found.values() for location in ids_of_name)
