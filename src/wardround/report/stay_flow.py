"""Counts the stays found, eligible, scored and written, with the reason for every stay lost on the way."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from wardround.report.report_words import reason_in_words

Words = Callable[[str], str]


@dataclass(frozen=True)
class Loss:
    """Stays that go no further, and why."""

    reason: str
    count: int


@dataclass(frozen=True)
class Stage:
    """Stays that reached a stage, and those of them that go no further; the next stage has the difference."""

    name: str
    count: int
    losses: tuple[Loss, ...]


def stages(ledger: pd.DataFrame, not_written: str, words: Words = reason_in_words) -> tuple[Stage, ...]:
    """Returns the four stages of a run.

    Args:
        ledger: LEDGER_COLUMNS.
        not_written: why scored stays have no RiskAssessment, if the ledger does not say.
        words: turns a reason into words.
    """
    found = len(ledger)
    excluded = losses_of(ledger[ledger["outcome"] == "excluded"], words)
    failed = losses_of(ledger[ledger["outcome"] == "failed"], words, "Failed: ")
    indeterminate = losses_of(ledger[ledger["outcome"] == "indeterminate"], words, "Indeterminate: ")
    scored = ledger[ledger["outcome"] == "scored"]
    written = int(scored["written"].sum())
    taken_back = losses_of(scored[~scored["written"] & (scored["reason"] != "")], words)
    others = len(scored) - written - sum(loss.count for loss in taken_back)
    unwritten = (*taken_back, *((Loss(not_written, others),) if others else ()))
    return (
        Stage("Found", found, excluded),
        Stage("Eligible", found - sum(loss.count for loss in excluded), (*indeterminate, *failed)),
        Stage("Scored", len(scored), unwritten),
        Stage("Written", written, ()),
    )


def losses_of(rows: pd.DataFrame, words: Words = reason_in_words, prefix: str = "") -> tuple[Loss, ...]:
    """Returns the reasons of ledger rows with their counts, the most frequent first; equal words are merged."""
    told = rows["reason"].astype("str").map(words)
    counts = told.value_counts().sort_index(kind="stable").sort_values(ascending=False, kind="stable")
    named = [(str(reason), int(number)) for reason, number in counts.items()]
    return tuple(
        Loss(prefix + reason[0].lower() + reason[1:] if prefix else reason, number) for reason, number in named
    )
