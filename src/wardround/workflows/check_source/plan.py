"""A source with its profile in, what Wardround will do with it out, in sentences."""

from collections.abc import Iterator, Mapping

from wardround.fhir.endpoint import FhirEndpoint, shown
from wardround.spec.cohorts import Encounters


def plan(source: FhirEndpoint, conditions: Mapping[str, Encounters]) -> list[str]:
    """How stays are found, those of conditions that name their own Encounters too, data read and results written."""
    return [*_finding(source, conditions), *_reading(source), *_writing(source)]


def _finding(source: FhirEndpoint, conditions: Mapping[str, Encounters]) -> Iterator[str]:
    profile = source.profile
    dated = "date" in profile.encounter_by
    if profile.encounter_needs_patient:
        how = " and date" if dated else ""
        yield f"Finds stays patient by patient{how}, within a cohort that the condition or --cohort must name."
    else:
        yield f"{_searching(source, source.icu, 'stays')}."
        for condition, encounters in conditions.items():
            yield f"{_searching(source, encounters, f'stays of {condition}')}."
        if dated and "status" not in profile.encounter_by:
            yield (
                "Does not find Encounters without a period,"
                " because they have no date and the server has no search by status."
            )
    if not profile.has_include:
        yield (
            "Searches for Patients and Locations separately, because the server does not include them with Encounters."
        )


def _searching(source: FhirEndpoint, encounters: Encounters, what: str) -> str:
    profile, named = source.profile, encounters.named
    by = [f"{name} {', '.join(values)}" for name, values in named.items()]
    dated = "date" in profile.encounter_by
    if set(named) <= set(profile.encounter_by) and (profile.has_location_parts or "location" not in named):
        return f"Finds {what} by {' and by '.join(by)}{' and date' if dated else ''}"
    return f"Reads all Encounters{' of the look-back' if dated else ''} and selects the {what} with {' or '.join(by)}"


def _reading(source: FhirEndpoint) -> Iterator[str]:
    profile = source.profile
    how = "a posted search" if profile.has_post_search else "a search by GET"
    patients = source.patients_per_search
    of = f" of {', '.join(profile.code_systems)}" if profile.code_systems else ""
    by = "category" if profile.observation_needs == "category" else f"code{of}"
    whom = "one patient" if patients == 1 else f"up to {patients} patients"
    yield f"Reads Observations of {whom} by {by} in {how}, {source.threads} at a time, {source.page_size:,} per page."
    for panel, components in profile.panels_only.items():
        yield f"Searches {', '.join(components)} as panel {panel}."


def _writing(source: FhirEndpoint) -> Iterator[str]:
    taker = source.write_to or source
    profile = taker.profile
    how = "after a search for each, one run at a time"
    if profile.creates_by_update:
        how = "by conditional update"
    elif profile.has_conditional_create:
        how = "by conditional create"
    size = f"in batches of {taker.entries_per_batch}" if profile.has_batch else "one by one"
    yield f"Writes RiskAssessments {how}, {size}{f', to {shown(taker.base_url)}' if source.write_to else ''}."
    if source.write_to:
        own = (
            "that server's own Patients and Encounters, found by identifier"
            if source.map_by_identifier
            else "Patients and Encounters by their identifiers on this server"
        )
        yield f"Writes nothing here; results refer to {own}."
