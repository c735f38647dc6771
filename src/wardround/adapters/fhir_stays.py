"""A FHIR server in, its ICU stays out: Encounters found by class and ICU Location, or by date."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from wardround.adapters.fhir_census import Criterion, complete, icu_rule, span_and_includes
from wardround.adapters.fhir_client import FhirClient
from wardround.adapters.fhir_encounters import Census, IcuRule
from wardround.adapters.fhir_source import FhirSource
from wardround.core.stays import FoundStays
from wardround.errors import FhirError


def find(client: FhirClient, start: datetime | None = None, as_of: datetime | None = None) -> FoundStays:
    """The stays that overlap [start, as_of]; without them, all stays of the server.

    What counts as an ICU stay is said by the source's `icu_classes` and `icu_locations` (see `IcuRule`), whatever the
    server can search by. Patients and Locations come with the Encounters, or are asked for where it does not include
    them.

    Raises:
        FhirError: the server cannot be used, does not know an ICU Location, or finds Encounters by patient only.
    """
    rule = icu_rule(client)
    census = Census(client.source.bases)
    for params in _searches(client.source, rule, start, as_of):
        census.add(client.search("Encounter", params))
    complete(census, client)
    return census.stays(rule, start, as_of)


def _searches(
    source: FhirSource, rule: IcuRule, start: datetime | None, as_of: datetime | None
) -> Iterator[Sequence[Criterion]]:
    """The searches that find the Encounters, as narrow as the server's profile allows."""
    profile = source.profile
    if profile.encounter_needs_patient:
        raise FhirError(
            f"{source.base_url}: {profile.title} finds Encounters by patient only, expected a cohort of patients;"
            " screen a Group, a List or a file of patient ids"
        )
    rest = span_and_includes(source, start, as_of)
    references = [f"Location/{location}" for location in sorted(rule.locations)]
    wanted: Sequence[Criterion] = [("class", source.icu_classes), ("location", references)]
    narrow = [(name, values) for name, values in wanted if values]
    if all(name in profile.encounter_by for name, _ in narrow):
        yield from ([criterion, *rest] for criterion in narrow)
    else:
        yield rest
