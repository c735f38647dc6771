"""Compares a run with the previous one: which stays came and went, whose band changed, and which inputs stopped."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from wardround.core.ledger import EXCLUDED, SCORED
from wardround.features.build import WITHOUT_EVENTS
from wardround.report.earlier import PassedOver, Point, RunBefore
from wardround.report.record import RunRecord
from wardround.report.report_words import count, moment
from wardround.report.stay_flow import Loss, Words, losses_of
from wardround.spec.conditions import Condition

STATES: Final = ("high", "moderate", "low", "indeterminate", "failed")
# A stay without a score has none of these, so it neither rises nor falls.
_HEIGHT: Final = {"high": 3.0, "moderate": 2.0, "low": 1.0}
# An input has stopped if at most half as many stays have it as before, and at least a tenth had it before.
_STOPPED_AT: Final = 0.5
_WAS_COMMON: Final = 0.1
# With fewer stays, a share means nothing.
_ENOUGH_ROWS: Final = 5
_NO_LONGER_FOUND: Final = "No longer among the stays that the source returns"
_NOT_EXCLUDED: Final = f"outcome != '{EXCLUDED}'"


@dataclass(frozen=True)
class StoppedInput:
    """A variable, and the share of stays that had a value of it, before and now."""

    display: str
    then: float
    now: float


@dataclass(frozen=True)
class InOut:
    """Stays that came or went, and how many of them are or were in the high band."""

    count: int
    high: int


@dataclass(frozen=True)
class Change:
    """What changed since the previous run; without one, `compared_with` is "" and `notes` say why.

    `moves` are the rows of a table for stays in both runs: the previous band, and the stays of each band of STATES now.
    """

    compared_with: str
    notes: tuple[str, ...]
    stayed: int = 0
    came: InOut = InOut(0, 0)
    went: InOut = InOut(0, 0)
    why_gone: tuple[Loss, ...] = ()
    states: tuple[str, ...] = STATES
    moves: tuple[tuple[str, tuple[int, ...]], ...] = ()
    rose: int = 0
    fell: int = 0
    stopped: tuple[StoppedInput, ...] = ()
    points: tuple[Point, ...] = ()


def change_of(record: RunRecord, words: Words) -> Change:
    """Returns what changed since the previous run, in counts; it names no stay."""
    earlier, before = record.earlier, record.earlier.before
    notes = tuple(_notes(record))
    points = _points(record)
    if before is None:
        return Change("", notes, points=points)
    then, now = states_of(before.ledger), states_of(record.ledger)
    both = now.index.intersection(then.index)
    moved = pd.crosstab(then[both], now[both]).reindex(index=list(STATES), columns=list(STATES), fill_value=0)
    steps = (now[both].map(_HEIGHT) - then[both].map(_HEIGHT)) if len(both) else pd.Series(dtype="float64")
    gone = then.index.difference(now.index)
    return Change(
        compared_with=moment(before.as_of),
        notes=notes,
        stayed=len(both),
        came=_in_out(now.drop(both)),
        went=_in_out(then[gone]),
        why_gone=_why_gone(gone, record.ledger, words),
        moves=tuple((state, tuple(int(number) for number in moved.loc[state])) for state in STATES),
        rose=int((steps > 0).sum()),
        fell=int((steps < 0).sum()),
        stopped=_stopped_inputs(before, record.unknown, record.rows, record.condition),
        points=_points(record) if earlier.points else (),
    )


def states_of(ledger: pd.DataFrame) -> pd.Series:
    """Returns, by stay_id, the band of a scored stay, or indeterminate or failed; excluded stays are left out."""
    rows = ledger[ledger["outcome"] != EXCLUDED].set_index("stay_id")
    return rows["band"].where(rows["outcome"] == SCORED, rows["outcome"]).astype("str")


def known_shares(unknown: Mapping[str, int], rows: int, condition: Condition) -> dict[str, float]:
    """Returns, by variable, the share of stays with a value in any of its windows; empty without rows."""
    if not rows:
        return {}
    missing: dict[str, int] = {}
    for feature in condition.feature_list:
        if feature.summary not in WITHOUT_EVENTS and feature.name in unknown:
            name = feature.variable
            missing[name] = min(missing.get(name, rows), unknown[feature.name])
    return {name: 1 - number / rows for name, number in missing.items()}


def _stopped_inputs(
    before: RunBefore, unknown: Mapping[str, int], rows: int, condition: Condition
) -> tuple[StoppedInput, ...]:
    """Returns the variables that many stays had in the previous run and few have now, the largest fall first."""
    if min(rows, before.rows) < _ENOUGH_ROWS:
        return ()
    now = known_shares(unknown, rows, condition)
    found = [
        StoppedInput(condition.variables[name].display, then, now[name])
        for name, then in known_shares(before.unknown, before.rows, condition).items()
        if name in now and then >= _WAS_COMMON and now[name] <= _STOPPED_AT * then
    ]
    return tuple(sorted(found, key=lambda one: (one.now - one.then, one.display)))


def _in_out(states: pd.Series) -> InOut:
    return InOut(len(states), int((states == "high").sum()))


def _why_gone(gone: pd.Index, ledger: pd.DataFrame, words: Words) -> tuple[Loss, ...]:
    """Returns why stays of the previous run are not in this one."""
    excluded = ledger[ledger["stay_id"].isin(gone)]
    losses = losses_of(excluded, words)
    unknown = len(gone) - len(excluded)
    return (*losses, Loss(_NO_LONGER_FOUND, unknown)) if unknown else losses


def _notes(record: RunRecord) -> Iterator[str]:
    earlier, before = record.earlier, record.earlier.before
    if before is None and not earlier.passed_over:
        yield (
            "None of the previous runs that were examined made the same request to the same source."
            if earlier.exhausted
            else "This is the first run with this request to this source."
        )
    elif before is None:
        yield "No earlier run with the same request ended successfully, so there is nothing to compare with."
    yield from _passed_over(earlier.passed_over)
    if before and before.model_version != record.request.model_version:
        yield (
            f"The previous run used another model, {before.model_version}: bands may have changed because of the"
            " model, not the patients."
        )
    if before and min(record.rows, before.rows) < _ENOUGH_ROWS:
        yield f"Inputs are not compared: one of the runs has fewer than {count(_ENOUGH_ROWS)} stays with values."


def _passed_over(runs: Sequence[PassedOver]) -> Iterator[str]:
    """Yields one sentence per reason: a sentence for each run of a month would push the worklist out of sight."""
    for why in dict.fromkeys(one.why for one in runs):
        times = [one.as_of for one in runs if one.why == why]
        if len(times) == 1:
            yield f"The run of {moment(times[0])} is not compared: {why}."
        else:
            yield (
                f"{count(len(times))} runs, from {moment(min(times))} to {moment(max(times))}, are not compared: {why}."
            )


def _points(record: RunRecord) -> tuple[Point, ...]:
    """Returns the previous runs and this one, the oldest first."""
    scored = record.ledger["outcome"] == SCORED
    high = int((scored & (record.ledger["band"] == "high")).sum())
    now = Point(pd.Timestamp(record.request.as_of), len(record.ledger), high)
    return (*record.earlier.points, now) if record.earlier.points else ()
