"""The run's record in, what a reader of its report must not overlook out."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pandas as pd

from wardround.core.expected_stays import doubt_in_words
from wardround.core.ledger import EXCLUDED
from wardround.core.report.record import RunRecord
from wardround.core.report.words import count, moment, span


@dataclass(frozen=True)
class Notice:
    """Something that must not be overlooked: `kind` is shadow, dry-run, stopped, incomplete, late or empty."""

    kind: str
    title: str
    text: str


def notices(record: RunRecord, mode: str) -> Iterator[Notice]:
    """In the order of the page; `mode` is live, shadow or dry run."""
    yield from _of_doubt(record)
    yield from _of_mode(record, mode)
    yield from _of_its_end(record)
    yield from _of_nobody(record)


def _of_doubt(record: RunRecord) -> Iterator[Notice]:
    """What casts doubt on all of it: the condition was switched off, or stays are missing."""
    if off := record.suspended:
        yield Notice(
            "stopped",
            "Suspended condition",
            "Nothing new is computed for people until somebody resumes it."
            f" {off.by} switched it off on {moment(pd.Timestamp(off.when))}: {off.why}",
        )
    if doubt := doubt_in_words(record.census):
        yield Notice(
            "incomplete",
            "Fewer stays than expected",
            f"The run {doubt}. A wrong ICU class or Location looks like this: whoever is not listed here was not"
            " screened.",
        )


def _of_mode(record: RunRecord, mode: str) -> Iterator[Notice]:
    if mode == "shadow":
        yield Notice(
            "shadow", "Shadow run", "Nothing was written to the source. These scores are not part of any record."
        )
    if mode == "live" and record.request.get("mode_of_condition") == "shadow":
        yield Notice(
            "late",
            "Live by name",
            "The condition is in shadow. Somebody asked for this run to be live, and it was written to the source.",
        )
    if mode == "dry run":
        yield Notice(
            "dry-run", "Dry run", "Nothing was written to the source. These scores are not part of any record."
        )


def _of_its_end(record: RunRecord) -> Iterator[Notice]:
    """That it was taken back, stopped, left incomplete or late."""
    if retraction := record.summary.get("retraction"):
        yield Notice(
            "stopped",
            "Retracted run",
            f"{count(retraction['retracted'])} RiskAssessments are marked as entered in error; do not use them."
            f" Taken back on {moment(pd.Timestamp(retraction['at']))}: {retraction['why']}",
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
    elif record.summary.get("complete") is False:
        yield Notice("incomplete", "Incomplete run", "Stays failed, or the source does not hold what was written.")
    hours = record.summary.get("hours_after_as_of")
    if hours is not None and timedelta(hours=hours) >= record.condition.quality.late_after:
        yield Notice("late", "Late scores", f"They came {span(hours)} after the time that they are for.")


def _of_nobody(record: RunRecord) -> Iterator[Notice]:
    if record.ledger.empty and not doubt_in_words(record.census):
        yield Notice(
            "empty", "No stays found", "The source gave no intensive-care stay for this time. Nothing to score."
        )
    elif len(record.ledger) and (record.ledger["outcome"] == EXCLUDED).all():
        yield Notice("empty", "Nobody screened", "Every stay that was found is excluded; the reasons are below.")
