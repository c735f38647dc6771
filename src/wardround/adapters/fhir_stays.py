"""A FHIR server in, its ICU stays out: Encounters found by class and by ICU Location."""

import re
from datetime import datetime
from typing import Final

from wardround.adapters.fhir_client import FhirClient
from wardround.adapters.fhir_encounters import Census, IcuRule
from wardround.adapters.fhir_times import no_earlier_than, no_later_than
from wardround.core.stays import FoundStays
from wardround.errors import FhirError

_ID: Final = re.compile(r"(Location/)?[A-Za-z0-9\-.]{1,64}")
_IDS_PER_SEARCH: Final = 100
_INCLUDES: Final = [("_include", "Encounter:patient"), ("_include", "Encounter:location")]


def find(client: FhirClient, start: datetime | None = None, as_of: datetime | None = None) -> FoundStays:
    """The stays that overlap [start, as_of]; without them, all stays of the server.

    What counts as an ICU stay is said by the source's `icu_classes` and `icu_locations` (see `IcuRule`). Patients and
    Locations come with the Encounters, or are asked for where the server does not include them.

    Raises:
        FhirError: the server cannot be used, or does not know an ICU Location.
    """
    classes, locations = client.source.icu_classes, _icu_locations(client)
    dates = [("date", no_earlier_than(start))] if start else []
    dates += [("date", no_later_than(as_of))] if as_of else []
    census = Census()
    if classes:
        census.add(client.search("Encounter", [("class", classes), *dates, *_INCLUDES]))
    if locations:
        references = [f"Location/{location}" for location in sorted(locations)]
        census.add(client.search("Encounter", [("location", references), *dates, *_INCLUDES]))
    for resource_type, ids in census.missing().items():
        for place in range(0, len(ids), _IDS_PER_SEARCH):
            census.add(client.search(resource_type, [("_id", ids[place : place + _IDS_PER_SEARCH])]))
    return census.stays(IcuRule(frozenset(classes), locations), start, as_of)


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
