"""Turns reasons, times and numbers into words for readers."""

import re
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import pandas as pd

from wardround.core.stay_reasons import FailedAt, Reason

STAY_REASONS: Final = {
    # why a stay is not in the cohort (core/stays.py)
    "unusable_status": "Encounter planned, cancelled, entered in error or of unknown status",
    "no_admission_time": "No admission time",
    "not_yet_admitted": "Not yet admitted at the prediction time",
    "discharged": "Discharged before the prediction time",
    "finished_without_end": "Finished, but without an end of the stay",
    "no_birth_date": "No date of birth",
    "under_age": "Younger than the cohort's minimum age",
    "uncertain_age": "May be younger than the cohort's minimum age: only year or month of birth is known",
    "parent_encounter": "The Encounter contains another Encounter that is screened",
    # why a patient must not be scored (sources/fhir/people.py)
    "deceased": "Died before the prediction time",
    "merged_patient": "Screened, or to be screened, under another record of the same person",
    "inactive_patient": "The patient's record is no longer in use",
    "unknown_patient": "Unknown to the server, or deleted",
    "malformed_patient": "The patient's record does not say in a readable way whether it may be used",
    # of Patients, Encounters and Observations alike
    "modifier_extension": "Changed by an extension that is not understood",
    # why an Encounter is not a usable stay (sources/fhir/encounters.py)
    "no_subject": "The Encounter names no patient",
    "no_period": "The Encounter does not say when it began",
    "uncertain_period": "A date, or a time without a zone, leaves open whether the patient was there",
    "reversed_period": "The Encounter ends before it begins",
    "malformed": "Not valid FHIR",
    "foreign_reference": "Refers to a patient or place at another server",
}
REASONS: Final = {
    **STAY_REASONS,
    # why a patient named by a cohort is set aside (sources/fhir/cohorts.py)
    "not_a_patient": "Not a patient",
    "not_an_id": "Not an id",
    "named_again": "Named more than once",
    "inactive_member": "No longer in the cohort",
    # the same of the census of the stream (sources/fhir/linking.py)
    "patient_not_there": "In the census, and not known to the server",
    "ambiguous_patient": "In the census, and several patients of the server carry the number",
    "visit_of_another_patient": "In the census, and the visit is another patient's on the server",
    # why a stay was not written (sources/fhir/second_look.py)
    "subject_changed": "The Encounter now belongs to another patient",
    "status_changed": "The Encounter was cancelled or entered in error meanwhile",
    "encounter_gone": "The Encounter is no longer there",
    "encounter_changed": "The Encounter was changed in a way that is not understood",
    # why a stay has no entry or no score
    "unfinished": "The run ended before this stay was accounted for",
    "retracted": "Retracted",
    "withdrawn": "Marked as entered in error by somebody else, and left so",
    "minimum_data": "Too little data for a score",
    "outside_training_hours": "In the unit for a shorter or longer time than the model covers",
    "required_input": "An input that the imported model requires is unknown",
    # why an event was set aside (core/events.py)
    "status": "Entered in error, cancelled, or with a status that does not mean a result",
    "no_time": "No time",
    "implausible_time": "Implausible time",
    "after_as_of": "Dated after the prediction time",
    "not_yet_available": "Not yet known at the prediction time",
    "comparator": "A bound such as “<0.5”, not a value",
    "no_value": "No value",
    "unknown_unit": "Unknown unit",
    "unit_conflict": "Two units named",
    "implausible_value": "Outside the plausible range",
    # why an Observation was set aside (sources/fhir/observation.py, sources/fhir/context.py, core/reading_rule.py)
    "focus": "About something or somebody other than the patient",
    "implicit_rules": "Made under unknown rules",
    "code": "Also coded as another quantity",
    "body_site": "Measured at a different body site",
    "method": "Measured in a way that the variable excludes",
    "specimen": "From a specimen other than blood",
    "other_patient": "About a patient who was not requested",
}
FAILURES: Final = {
    FailedAt.QUALITY: "Broke a validation rule: {}",
    FailedAt.EXTRACT: "Its data could not be read: {}",
    FailedAt.TASK: "The step {} failed",
    FailedAt.INVALID: "The RiskAssessment would not be valid: {}",
    FailedAt.REFER: "The patient is unknown where results are written: {}",
    FailedAt.WRITE: "The server did not accept the RiskAssessment: {}",
    FailedAt.PROVENANCE: "The server did not accept the Provenance: {}",
    FailedAt.RECONCILE: "The server does not hold what was written: {}",
}
UNFINISHED: Final = "unfinished"
OTHER_REASON: Final = "For another reason"
SUMMARIES: Final = {
    "last": "last",
    "first": "first",
    "mean": "mean",
    "min": "lowest",
    "max": "highest",
    "std": "spread",
    "slope": "trend",
    "change": "change",
    "count": "count",
    "missing": "missing",
    "hours_since_last": "hours since last",
}
# The steps of a run (workflows/screen), in a reader's words.
STEPS: Final = {
    "recognise": "Identifying the server",
    "recognise_results": "Asking the server of the results what it is",
    "find_stays": "Finding the stays",
    "extract": "Reading the values",
    "check_quality": "Checking the values",
    "score": "Scoring",
    "score_challenger": "Scoring the challenger",
    "publish": "Writing the results",
    "reconcile": "Comparing with the server",
    "high_band": "Writing the Group of the high band",
}
_REFERENCE: Final = re.compile(r"\b([A-Z][A-Za-z]+)/[A-Za-z0-9.\-]+")


def reason_in_words(reason: str) -> str:
    """Returns one of our reasons in words; any other text unchanged."""
    what, failed_at = Reason.of(reason)
    if failed_at is None:
        return REASONS.get(what, what)
    return FAILURES[failed_at].format(what.replace("_", " ") if what.isidentifier() else what)


def kind_in_words(reason: str) -> str:
    """Returns a reason without text from a server or a person, which could name a patient."""
    read = Reason.of(reason)
    if read.failed_at is None:
        return REASONS.get(read.what, OTHER_REASON)
    return reason_in_words(reason) if read.is_ours else FAILURES[read.failed_at].removesuffix(": {}")


def without_references(text: str) -> str:
    """Returns the text without the ids of FHIR references."""
    return _REFERENCE.sub(r"\1", text)


def moment(time: pd.Timestamp) -> str:
    """Formats a time for readers, in UTC: `2 January 2026, 05:00 UTC`."""
    utc = time.tz_convert("UTC")
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


def short_moment(time: pd.Timestamp) -> str:
    """Formats a time for a chart's axis, in UTC: `2 Jan, 05:00`."""
    utc = time.tz_convert("UTC")
    return f"{utc.day} {utc:%b, %H:%M}"


def span(hours: float) -> str:
    """Formats a number of hours for readers: `40 min`, `14 h`, `3 d 4 h`; `–` if unknown."""
    if hours != hours:
        return "–"
    minutes = round(hours * 60)
    if minutes < 60:
        return f"{minutes} min" if minutes else "less than 1 min"
    days, rest = divmod(round(hours), 24)
    return f"{days} d {rest} h" if days else f"{rest} h"


def seconds(value: float) -> str:
    """Formats a duration for readers: `0.42 s`, `12.3 s`, `4 min 5 s`."""
    if value < 10:
        return f"{value:.2f} s"
    if value < 120:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s"


def count(value: int) -> str:
    """Formats a count with thin spaces between thousands: `10 000`."""
    return f"{value:,}".replace(",", "\u202f")


def percent(share: float, places: int = 1) -> str:
    """Formats a share of 1 as a percentage: `42.1 %`."""
    return f"{share * 100:.{places}f}\u202f%"


def window(duration: timedelta) -> str:
    """Formats a window for readers: `24 h`."""
    return f"{duration / timedelta(hours=1):g} h"


def address(url: str) -> str:
    """Returns a source's address without anything that could be secret: no user, password, query or fragment."""
    parts = urlsplit(url)
    if not parts.scheme:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
