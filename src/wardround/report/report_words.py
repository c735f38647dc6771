"""Machine words in, words for readers out."""

import re
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import pandas as pd

from wardround.core.reasons import FailedAt, Reason

STAY_REASONS: Final = {
    # why a stay is not in the cohort (core/stays.py)
    "unusable_status": "Encounter planned, cancelled, entered in error or of no known status",
    "no_admission_time": "No admission time",
    "not_yet_admitted": "Not yet admitted at the prediction time",
    "discharged": "Discharged before the prediction time",
    "finished_without_end": "Finished, but with no end of the stay",
    "no_birth_date": "No date of birth",
    "under_age": "Younger than the cohort's minimum age",
    "uncertain_age": "Perhaps younger than the cohort's minimum age: only year or month of birth is known",
    "parent_encounter": "The Encounter is the whole of which another one that is screened is a part",
    # why a patient must not be scored (sources/fhir/people.py)
    "deceased": "Died before the prediction time",
    "merged_patient": "Screened, or to be screened, under another record of the same person",
    "inactive_patient": "The patient's record is no longer in use",
    "unknown_patient": "Unknown to the server, or deleted",
    "malformed_patient": "The patient's record says in no readable way whether it may be used",
    # of Patients, Encounters and Observations alike
    "modifier_extension": "Changed by an extension that is not understood",
    # why an Encounter is no usable stay (sources/fhir/encounters.py)
    "no_subject": "The Encounter names no patient",
    "no_period": "The Encounter does not say since when it goes on",
    "uncertain_period": "A date, or a time without a zone, leaves open whether the stay was going on",
    "reversed_period": "The Encounter ends before it begins",
    "malformed": "Not shaped as FHIR wants it",
    "foreign_reference": "About somebody, or from somewhere, at another server",
}
REASONS: Final = {
    **STAY_REASONS,
    # why somebody whom a cohort names is set aside (sources/fhir/cohorts.py)
    "not_a_patient": "Not a patient",
    "not_an_id": "Not an id",
    "named_again": "Named more than once",
    "inactive_member": "No longer in the cohort",
    # why a stay was not written (sources/fhir/second_look.py)
    "subject_changed": "The Encounter is another patient's by now",
    "status_changed": "The Encounter was cancelled or entered in error meanwhile",
    "encounter_gone": "The Encounter is no longer there",
    "encounter_changed": "The Encounter says something by now that is not understood",
    # why a stay has no account or no score
    "unfinished": "The run ended before this stay was accounted for",
    "retracted": "Taken back",
    "withdrawn": "Marked as entered in error by somebody else, and left so",
    "minimum_data": "Too little known for a score",
    "required_input": "An input that the imported model requires is unknown",
    # why an event was set aside (core/events.py)
    "status": "Entered in error, cancelled, or of no status that says there is a result",
    "no_time": "No time",
    "implausible_time": "Implausible time",
    "after_as_of": "Dated after the prediction time",
    "not_yet_available": "Not yet known at the prediction time",
    "comparator": "A bound such as “<0.5”, not a value",
    "no_value": "No value",
    "unknown_unit": "Unknown unit",
    "unit_conflict": "Two units named",
    "implausible_value": "Outside the plausible range",
    # why an Observation was (sources/fhir/observation.py, sources/fhir/context.py, core/reading_rule.py)
    "focus": "About something or somebody else than the patient",
    "implicit_rules": "Made under rules that are not known",
    "code": "Also coded as another quantity",
    "body_site": "Measured at another place than the variable is about",
    "method": "Measured in a way that the variable excludes",
    "specimen": "Of another fluid than blood",
    "other_patient": "About a patient who was not asked for",
}
FAILURES: Final = {
    FailedAt.QUALITY: "Broke a validation rule: {}",
    FailedAt.EXTRACT: "Its data could not be read: {}",
    FailedAt.TASK: "The step {} did not end well",
    FailedAt.INVALID: "The RiskAssessment would not be valid: {}",
    FailedAt.REFER: "Whom it is about is not known where results are written: {}",
    FailedAt.WRITE: "The server did not take the RiskAssessment: {}",
    FailedAt.PROVENANCE: "The server did not take the Provenance: {}",
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
# The steps of a run (workflows/screening), as a reader would call them.
STEPS: Final = {
    "recognise": "Asking the server what it is",
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
    """A reason of ours in words; any other text as it is."""
    what, failed_at = Reason.of(reason)
    if failed_at is None:
        return REASONS.get(what, what)
    return FAILURES[failed_at].format(what.replace("_", " ") if what.isidentifier() else what)


def kind_in_words(reason: str) -> str:
    """A reason without what a server or a person may have said in it: that could name a patient."""
    read = Reason.of(reason)
    if read.failed_at is None:
        return REASONS.get(read.what, OTHER_REASON)
    return reason_in_words(reason) if read.is_ours else FAILURES[read.failed_at].removesuffix(": {}")


def without_references(text: str) -> str:
    """The text with the ids of FHIR references taken out."""
    return _REFERENCE.sub(r"\1", text)


def moment(time: pd.Timestamp) -> str:
    """A time for readers, in UTC: `2 January 2026, 05:00 UTC`."""
    utc = time.tz_convert("UTC")
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


def short_moment(time: pd.Timestamp) -> str:
    """A time for a chart's axis, in UTC: `2 Jan, 05:00`."""
    utc = time.tz_convert("UTC")
    return f"{utc.day} {utc:%b, %H:%M}"


def span(hours: float) -> str:
    """A number of hours for readers: `40 min`, `14 h`, `3 d 4 h`; `–` if unknown."""
    if hours != hours:
        return "–"
    if hours < 1:
        return f"{hours * 60:.0f} min"
    days, rest = divmod(round(hours), 24)
    return f"{days} d {rest} h" if days else f"{rest} h"


def seconds(value: float) -> str:
    """A duration for readers: `0.42 s`, `12.3 s`, `4 min 5 s`."""
    if value < 10:
        return f"{value:.2f} s"
    if value < 120:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s"


def count(value: int) -> str:
    """A count with thin spaces between thousands: `10 000`."""
    return f"{value:,}".replace(",", "\u202f")


def percent(share: float, places: int = 1) -> str:
    """A share of 1 as a percentage: `42.1 %`."""
    return f"{share * 100:.{places}f}\u202f%"


def window(duration: timedelta) -> str:
    """A window for readers: `24 h`."""
    return f"{duration / timedelta(hours=1):g} h"


def address(url: str) -> str:
    """A source's address without what could be a secret: no user, password, query or fragment."""
    parts = urlsplit(url)
    if not parts.scheme:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
