"""Selects what a reader of a report must not overlook."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import pandas as pd

from wardround.core.expected_stays import doubt_in_words
from wardround.core.ledger import EXCLUDED
from wardround.report.record import RunRecord
from wardround.report.report_words import count, moment, span


@dataclass(frozen=True)
class Notice:
    """Something that must not be overlooked: `kind` is shadow, stopped, incomplete, late or empty."""

    kind: str
    title: str
    text: str


# A run that started this long after its time looks back on purpose, or catches up on a missed run.
_LOOKS_BACK: Final = timedelta(hours=24)


def notices(record: RunRecord, mode: str, guarded: bool) -> Iterator[Notice]:
    """Yields notices in the order of the page; `mode` is live or shadow; `guarded` leaves out texts by people."""
    yield from _of_doubt(record, guarded)
    yield from _of_rehearsal(record)
    yield from _of_mode(record, mode)
    yield from _of_its_end(record, guarded)
    yield from _of_nobody_screened(record)


def looks_back(record: RunRecord) -> str:
    """Returns a plain line about a run for a time long past; "" for any other run."""
    hours = record.summary.hours_after_as_of
    if hours is None or timedelta(hours=hours) < _LOOKS_BACK:
        return ""
    return f"This run looks back: it was made {span(hours)} after the time that it describes."


def _of_doubt(record: RunRecord, guarded: bool) -> Iterator[Notice]:
    """Yields what casts doubt on the whole run: the condition was switched off, or stays are missing."""
    if off := record.suspended:
        yield Notice(
            "stopped",
            "Suspended condition",
            "Nothing new is computed for people until somebody resumes it. It was switched off on"
            f" {moment(pd.Timestamp(off.when))}{_said(f' by {off.by}: {off.why}', guarded)}",
        )
    if doubt := doubt_in_words(record.census):
        yield Notice(
            "incomplete",
            "Fewer stays than expected",
            f"The run {doubt}. A wrong ICU class or Location has this effect: patients who are not listed here were not"
            " screened.",
        )


def _said(text: str, guarded: bool) -> str:
    """Returns a person's text, which may name a patient; only a full stop if no patient may be named."""
    return "." if guarded else text


def _of_rehearsal(record: RunRecord) -> Iterator[Notice]:
    if record.request.demo_model:
        yield Notice(
            "stopped",
            "Rehearsal with the demo\u2019s model",
            "It was trained in seconds to show how a run works, and not for these patients. The scores say nothing"
            " about any patient; what was found, read and left out is real.",
        )


def _of_mode(record: RunRecord, mode: str) -> Iterator[Notice]:
    if mode == "shadow":
        yield Notice(
            "shadow", "Shadow run", "Nothing was written to the source. These scores are not part of any record."
        )
    if mode == "live" and record.request.mode_of_condition == "shadow":
        yield Notice(
            "late",
            "Live by request",
            "The condition is in shadow mode. Somebody requested this run as live, and it was written to the source.",
        )


def _of_its_end(record: RunRecord, guarded: bool) -> Iterator[Notice]:
    """Yields whether the run was retracted, stopped, incomplete or late."""
    if retraction := record.summary.retraction:
        yield Notice(
            "stopped",
            "Retracted run",
            f"{count(retraction.retracted)} RiskAssessments are marked as entered in error; do not use them."
            f" Retracted on {moment(pd.Timestamp(retraction.at))}{_said(': ' + retraction.why, guarded)}",
        )
    quality = record.quality
    if quality and quality.set_aside_share > record.condition.quality.max_set_aside:
        yield Notice(
            "stopped",
            "Stopped by data validation",
            f"{count(quality.set_aside)} of {count(quality.rows)} feature rows broke a rule, more than the limit of "
            f"{record.condition.quality.max_set_aside:.0%}. Nothing was written.",
        )
    elif not record.summary:
        yield Notice("stopped", "Unfinished run", "The run ended before its ledger was reconciled with the source.")
    elif not record.summary.complete:
        yield Notice("incomplete", "Incomplete run", "Stays failed, or the source does not hold what was written.")
    hours = record.summary.hours_after_as_of
    if hours is not None and record.condition.quality.late_after <= timedelta(hours=hours) < _LOOKS_BACK:
        yield Notice("late", "Late scores", f"They were ready {span(hours)} after the time that they are for.")


def _of_nobody_screened(record: RunRecord) -> Iterator[Notice]:
    if record.ledger.empty and not doubt_in_words(record.census):
        yield Notice(
            "empty", "No stays found", "The source returned no ICU stay for this time. There is nothing to score."
        )
    elif len(record.ledger) and (record.ledger["outcome"] == EXCLUDED).all():
        yield Notice("empty", "No patient screened", "Every stay that was found is excluded; the reasons are below.")
