"""Adds the lists of patients to the figures of `aggregates.py`: together, what the report's pages show."""

from dataclasses import dataclass, replace

from wardround.report.aggregates import Aggregates, aggregates_of
from wardround.report.record import RunRecord
from wardround.report.worklist import LISTED_BANDS, Patient, PatientList, by_band, by_outcome, joined, moved


@dataclass(frozen=True)
class Link:
    """A file of the same run beside the page, and its title."""

    file: str
    title: str


@dataclass(frozen=True)
class Worklists:
    """The stays one by one; without `identifiers`, no patient, stay or resource can be identified."""

    identifiers: bool
    bands: tuple[PatientList, ...]
    indeterminate: PatientList
    failed: PatientList
    moved: PatientList


@dataclass(frozen=True)
class RunReport:
    """A page: the counts of a run, and the lists of patients for those who may see them."""

    counted: Aggregates
    lists: Worklists | None
    beside: tuple[Link, ...]


def run_report(record: RunRecord, identifiers: bool, beside: tuple[Link, ...] = ()) -> RunReport:
    """Returns the report of a run for people who may see patients."""
    stays = joined(record)
    lists = Worklists(
        identifiers=identifiers,
        bands=tuple(by_band(stays, band, identifiers) for band in LISTED_BANDS),
        indeterminate=_with_known(by_outcome(stays, "indeterminate", identifiers), record),
        failed=by_outcome(stays, "failed", identifiers),
        moved=moved(stays, identifiers),
    )
    return RunReport(aggregates_of(record, guarded=not identifiers), lists, beside)


def run_aggregates(record: RunRecord, beside: tuple[Link, ...] = ()) -> RunReport:
    """Returns the report of a run without any patient: no stay can be identified."""
    return RunReport(aggregates_of(record, guarded=True), None, beside)


def _with_known(indeterminate: PatientList, record: RunRecord) -> PatientList:
    """Returns the list with how many of the needed inputs are known, where too few are, instead of the rule's name."""
    needed = record.condition.minimum_data
    displays = [record.condition.variables[name].display for name in needed.of]

    def why(patient: Patient) -> str:
        known = sum(display not in patient.missing for display in displays)
        if known >= needed.at_least:
            return patient.why
        return f"{known} of {len(displays)} known, {needed.at_least} needed"

    told = tuple(replace(patient, why=why(patient)) for patient in indeterminate.patients)
    return replace(indeterminate, patients=told)
