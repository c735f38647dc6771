"""What every search for stays shares: the ICU rule, the span of time, and the Patients and Locations to go with it."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from wardround.adapters.fhir_client import FhirClient
from wardround.adapters.fhir_encounters import Census, IcuRule
from wardround.adapters.fhir_source import FhirSource
from wardround.adapters.fhir_times import no_earlier_than, no_later_than
from wardround.errors import FhirError

Criterion = tuple[str, str | Sequence[str]]

_INCLUDES: Final = [("_include", "Encounter:patient"), ("_include", "Encounter:location")]
_ID: Final = re.compile(r"(Location/)?[A-Za-z0-9\-.]{1,64}")
_IDS_PER_SEARCH: Final = 100


def icu_rule(client: FhirClient) -> IcuRule:
    """The source's `icu_classes` and `icu_locations`, the latter as ids. Raises FhirError for an unknown Location."""
    return IcuRule(frozenset(client.source.icu_classes), _icu_locations(client))


def span_and_includes(source: FhirSource, start: datetime | None, as_of: datetime | None) -> list[Criterion]:
    """The criteria of an Encounter search for [start, as_of] with its Patients and Locations, as the profile allows."""
    dates: list[Criterion] = [("date", no_earlier_than(start))] if start else []
    dates += [("date", no_later_than(as_of))] if as_of else []
    profile = source.profile
    return [*(dates if "date" in profile.encounter_by else []), *(_INCLUDES if profile.has_include else [])]


def complete(census: Census, client: FhirClient) -> None:
    """Adds the Patients and Locations that Encounters refer to and that did not come with them."""
    size = min(_IDS_PER_SEARCH, client.source.patients_per_search)
    for resource_type, ids in census.missing().items():
        for place in range(0, len(ids), size):
            census.add(client.search(resource_type, [("_id", ids[place : place + size])]))


def _icu_locations(client: FhirClient) -> frozenset[str]:
    """The ids of the source's ICU Locations, given by name or by id."""
    names = client.source.icu_locations
    if not names:
        return frozenset()
    known = Census(client.source.bases)
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
