"""Finds the ICU stays of the run's cohort, and accounts for the patients that the cohort names.

These functions see record numbers; they never log.
"""

from collections import Counter
from collections.abc import Sequence

from wardround.core import run_files
from wardround.core.events import frame_of
from wardround.core.run_summary import CohortAccount
from wardround.core.stays import FoundStays
from wardround.errors import FhirError
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.sources.fhir import cohorts, people
from wardround.sources.fhir.cohorts import WITHOUT_STAY, Named
from wardround.spec.cohorts import CohortSource, Encounters
from wardround.spec.conditions import Condition
from wardround.workflows.screen.census import of_census
from wardround.workflows.screen.run import Run
from wardround.workflows.screen.run_source import RunSource


def find_cohort(opened: Run, client: FhirClient, source: RunSource, settings: Settings) -> FoundStays:
    """Returns the ICU stays of the run's cohort that overlap its look-back.

    Writes cohort.parquet and cohort.json: its kind; how many patients it named, or None if it names none;
    `cohort_without_stay`, how many of them have no ICU stay; `cohort_set_aside`, the others by reason.
    """
    encounters = asked_for(client.source, opened.condition, opened.cohort_source)
    named = _named(client, opened, settings)
    if named is None:
        found = source.find_stays(encounters, None)
        _write_account(opened, None, [])
        return found
    patients = [one.patient_id for one in named if not one.reason]
    found = source.find_stays(encounters, patients)
    staying = set(found.stays["patient_id"]) | set(found.set_aside["patient_id"])
    idle = [patient for patient in patients if patient not in staying]
    unknown = cohorts.unknown_among(client, idle)
    reasons = [Named(patient, people.UNKNOWN_PATIENT if patient in unknown else WITHOUT_STAY) for patient in idle]
    _write_account(opened, len(patients), [one for one in named if one.reason] + reasons)
    return found


def _named(client: FhirClient, opened: Run, settings: Settings) -> list[Named] | None:
    """Returns the patients that the cohort names; None if it names none and takes every patient found."""
    source = opened.cohort_source
    match source.kind:
        case "group" | "export" if source.id:
            return cohorts.of_group(client, source.id)
        case "list":
            return cohorts.of_list(client, str(source.id))
        case "patients":
            return cohorts.of_ids(source.patients)
        case "file":
            return cohorts.of_file(str(source.path), source.column)
        case "adt":
            return of_census(client, source, opened.request, settings)
    return None


def asked_for(source: FhirEndpoint, condition: Condition, cohort: CohortSource) -> Encounters:
    """Returns which Encounters are stays: those of the condition, or the connection's ICU stays.

    A cohort of Locations takes everybody who was in them, of any class or type: in its own Locations, else in those of
    the condition, else in those of the connection.
    """
    encounters = condition.cohort.encounters or source.icu
    if cohort.kind != "locations":
        return encounters
    locations = cohort.locations or encounters.locations or source.icu_locations
    if not locations:
        raise FhirError(
            f"{source.base_url}: the cohort is defined by Locations but names none; name them in"
            " cohort.source.locations, cohort.encounters.locations or the connection's icu_locations"
        )
    return Encounters(locations=locations)


def account_of(opened: Run) -> CohortAccount:
    """Returns what find_cohort kept of the cohort, for the run's summary."""
    return CohortAccount.model_validate(opened.folder.read_json(run_files.COHORT_ACCOUNT))


def _write_account(opened: Run, patients: int | None, left_out: Sequence[Named]) -> None:
    reasons = Counter(one.reason for one in left_out)
    without_stay = reasons.pop(WITHOUT_STAY, 0)
    opened.folder.write_frame(run_files.COHORT, frame_of(run_files.COHORT_COLUMNS, left_out))
    account = CohortAccount(
        cohort=opened.cohort_source.kind,
        cohort_patients=patients,
        cohort_without_stay=without_stay,
        cohort_set_aside=dict(sorted(reasons.items())),
    )
    opened.folder.write_json(run_files.COHORT_ACCOUNT, account.as_json())
