"""Counts the stays of each unit by what became of them."""

from dataclasses import dataclass
from typing import Final

import pandas as pd

from wardround.core.ledger import EXCLUDED, FAILED, INDETERMINATE, SCORED

UNNAMED: Final = "No unit named"
OTHERS: Final = "Other units"
ALL: Final = "All units"
EVERY: Final = 1
"""The fewest stays of a unit that is told by itself, for readers who may see patients."""
SMALL: Final = 5
"""The same where no stay may be identifiable."""
# How many units are named; a source that calls every bed a unit would make the page longer than the worklist.
NAMED: Final = 40


@dataclass(frozen=True)
class UnitCounts:
    """The stays of a unit; scored, indeterminate, excluded and failed add up to found, and high is part of scored."""

    unit: str
    found: int
    scored: int
    high: int
    indeterminate: int
    excluded: int
    failed: int


def by_unit(ledger: pd.DataFrame, fewest: int) -> tuple[UnitCounts, ...]:
    """Returns counts per unit, the largest first; units with fewer than `fewest` stays are counted together.

    If these together still have fewer than `fewest` stays, the next smallest unit joins them, so that they cannot be
    found by subtraction.
    """
    unit = ledger["unit"].replace("", UNNAMED)
    found = unit.value_counts().sort_index(kind="stable").sort_values(ascending=False, kind="stable")
    named = [str(name) for name in found.index]
    alone = min(_alone([int(number) for number in found], fewest), NAMED)
    rows = [_counts(name, ledger[unit == name]) for name in named[:alone]]
    rest = ledger[unit.isin(named[alone:])]
    return (*rows, _counts(OTHERS if rows else ALL, rest)) if len(rest) else tuple(rows)


def _alone(found: list[int], fewest: int) -> int:
    """Returns how many units are named by themselves, given their numbers of stays in falling order."""
    alone = sum(number >= fewest for number in found)
    while alone and 0 < sum(found[alone:]) < fewest:
        alone -= 1
    return alone


def _counts(unit: str, rows: pd.DataFrame) -> UnitCounts:
    outcome = rows["outcome"]
    return UnitCounts(
        unit=unit,
        found=len(rows),
        scored=int((outcome == SCORED).sum()),
        high=int(((outcome == SCORED) & (rows["band"] == "high")).sum()),
        indeterminate=int((outcome == INDETERMINATE).sum()),
        excluded=int((outcome == EXCLUDED).sum()),
        failed=int((outcome == FAILED).sum()),
    )
