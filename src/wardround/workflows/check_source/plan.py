"""A source with its profile in, what Wardround will do with it out, in sentences."""

from collections.abc import Iterator

from wardround.adapters.fhir_source import FhirSource


def plan(source: FhirSource) -> list[str]:
    """How stays are found, data read and results written."""
    return [*_finding(source), *_reading(source), *_writing(source)]


def _finding(source: FhirSource) -> Iterator[str]:
    profile = source.profile
    wanted = {"class": source.icu_classes, "location": source.icu_locations}
    by = [f"{name} {', '.join(values)}" for name, values in wanted.items() if values]
    dated = " and date" if "date" in profile.encounter_by else ""
    if profile.encounter_needs_patient:
        yield f"Finds stays patient by patient{dated}, in a cohort that the condition or --cohort must name."
    elif all(name in profile.encounter_by for name, values in wanted.items() if values):
        yield f"Finds stays by {' and by '.join(by)}{dated}."
    else:
        yield f"Reads all Encounters{' of the look-back' if dated else ''} and picks those with {' or '.join(by)}."
    if not profile.has_include:
        yield "Asks for Patients and Locations in searches of their own, as they do not come with Encounters."


def _reading(source: FhirSource) -> Iterator[str]:
    profile = source.profile
    how = "a posted search" if profile.has_post_search else "a search by GET"
    patients = source.patients_per_search
    by = "category" if profile.observation_needs == "category" else "code"
    whom = "one patient" if patients == 1 else f"up to {patients} patients"
    yield f"Reads Observations of {whom} by {by} in {how}, {source.threads} at a time, {source.page_size:,} to a page."
    for panel, components in profile.panels_only.items():
        yield f"Searches {', '.join(components)} as panel {panel}."


def _writing(source: FhirSource) -> Iterator[str]:
    profile = source.profile
    how = "by conditional update" if profile.has_conditional_update else "after a search for each, by a single writer"
    size = f"in batches of {source.entries_per_batch}" if profile.has_batch else "one by one"
    yield f"Writes RiskAssessments {how}, {size}."
