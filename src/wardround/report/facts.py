"""Describes what ran, in which mode and with which settings, in words."""

from collections.abc import Iterator

from wardround.core.run_summary import Kept
from wardround.report.record import RunRecord
from wardround.report.report_words import address, count, reason_in_words, span, window
from wardround.spec.base import format_duration


def facts(record: RunRecord, mode: str) -> tuple[tuple[str, str], ...]:
    """Returns what a reader needs to know about the run before anything else."""
    return (
        ("Mode", f"{mode}{_whose_mode(record)}"),
        *_scored_when(record),
        ("Model", record.request.model_version),
    )


def technical(record: RunRecord) -> tuple[tuple[str, str], ...]:
    """Returns what is needed to find the run again and to know what was requested."""
    request = record.request
    return (
        ("Source", address(request.source_url)),
        *((("Results at", address(request.write_to)),) if request.write_to else ()),
        *_group_of_the_high_band(record),
        ("Run", record.run),
        ("Definition", f"{record.condition.id} {request.condition_version} ({request.spec_digest[:12]})"),
        ("Looks for stays back to", f"{window(request.look_back or record.condition.cohort.look_back)} before"),
        ("Wardround", request.software_version),
    )


def _group_of_the_high_band(record: RunRecord) -> Iterator[tuple[str, str]]:
    """Yields where others can find the patients in the high band, if the condition maintains such a Group."""
    high_band = record.summary.high_band
    if high_band:
        listed = f"{high_band.reference}, patients listed: {high_band.members:,}"
        words = {
            Kept.NEWER: f"{high_band.reference}, not changed: it lists the high band of a later time",
            Kept.SUSPENDED: "not changed: the condition is suspended",
            Kept.REFUSED: "not written: the server did not accept it",
        }
        yield "Group of the high band", words.get(high_band.kept, listed)


def _whose_mode(record: RunRecord) -> str:
    """Returns who chose the mode, if it is not obvious: the condition's setting, or a request that differs from it."""
    asked, of_condition = record.request.mode_asked, record.request.mode_of_condition
    if asked is None:
        return ", as set in the condition" if of_condition == "shadow" else ""
    return f", by request: the condition is set to {of_condition}" if of_condition not in (None, asked) else ""


def _scored_when(record: RunRecord) -> Iterator[tuple[str, str]]:
    hours = record.summary.hours_after_as_of
    if hours is not None:
        yield "Scored", f"{span(hours)} after the prediction time"


def why_not_written(record: RunRecord, mode: str) -> str:
    """Returns why scored stays may have no RiskAssessment."""
    if record.summary.retraction:
        return "Retracted"
    return "A shadow run writes nothing" if mode == "shadow" else "Not written"


def flow_note(record: RunRecord) -> str:
    """Returns what the drawing of the flow does not show, in sentences."""
    unchanged = record.summary.unchanged
    failed = int((record.ledger["written"] & (record.ledger["outcome"] != "scored")).sum())
    notes = list(_cohort_notes(record))
    if unchanged:
        notes.append(f"{count(unchanged)} of the RiskAssessments were at the source already, and were not changed.")
    if repaired := record.summary.repaired:
        notes.append(
            f"The source held several RiskAssessments for {count(repaired)} of the stays; the newest of each is valid,"
            " the others are marked as entered in error."
        )
    if withdrawn := record.summary.withdrawn:
        notes.append(
            f"{count(withdrawn)} of the RiskAssessments were marked as entered in error by somebody else, and stay so."
        )
    if failed:
        notes.append(f"The source also holds a RiskAssessment for {count(failed)} of the stays that failed.")
    return " ".join(notes)


def _cohort_notes(record: RunRecord) -> Iterator[str]:
    """Yields what became of the patients whom the cohort names and who have no stay in the drawing."""
    named = record.summary.cohort_patients
    if named is None:
        return
    yield f"The cohort ({record.summary.cohort}) names {count(named)} patients."
    without_stay = record.summary.cohort_without_stay
    if without_stay:
        yield f"{count(without_stay)} of them had no ICU stay in the look-back."
    for reason, number in record.summary.cohort_set_aside.items():
        yield f"{count(number)} set aside: {reason_in_words(reason).lower()}."


def minimum_data(record: RunRecord) -> str:
    """Returns the minimum data for a score, as a sentence."""
    needed = record.condition.minimum_data
    names = [record.condition.variables[name].display.lower() for name in needed.of]
    return f"A score needs a value in the window for at least {needed.at_least} of: {', '.join(names)}."


def hours_covered(record: RunRecord) -> str:
    """Returns which hours of a stay the model covers, as a sentence; "" if its card does not say."""
    covered = record.card.training_hours if record.card else None
    if covered is None:
        return ""
    first, last = (format_duration(limit) for limit in (covered.first, covered.last))
    return f"The model covers {first} to {last} after admission to the unit."


def compared_with(record: RunRecord) -> str:
    """Returns what a reason compares a patient with."""
    if record.card and record.card.imported:
        return "a patient with usual values, because the model was trained elsewhere"
    return "the average patient of the training data"
