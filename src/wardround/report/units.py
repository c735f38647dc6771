"""Counts the stays of each unit by what became of them."""

from dataclasses import dataclass
from typing import Final

import pandas as pd

from wardround.core.ledger import EXCLUDED, FAILED, INDETERMINATE, SCORED

UNNAMED: Final = "No unit named"
OTHERS: Final = "Other units"
# A unit with fewer stays is counted together with others if no stay may be identifiable.
SMALL: Final = 5
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


def by_unit(ledger: pd.DataFrame, guarded: bool) -> tuple[UnitCounts, ...]:
    """Returns counts per unit, the largest first; `guarded` counts units with fewer than SMALL stays together.

    If these together still have fewer than SMALL stays, the next smallest unit joins them, so that they cannot be found
    by subtraction.
    """
    unit = ledger["unit"].replace("", UNNAMED)
    found = unit.value_counts().sort_index(kind="stable").sort_values(ascending=False, kind="stable")
    named = [str(name) for name in found.index]
    alone = _alone([int(number) for number in found]) if guarded else len(named)
    alone = min(alone, NAMED)
    rows = [_counts(name, ledger[unit == name]) for name in named[:alone]]
    rest = ledger[unit.isin(named[alone:])]
    return (*rows, _counts(OTHERS if rows else "All units", rest)) if len(rest) else tuple(rows)


def _alone(found: list[int]) -> int:
    """Returns how many units are named by themselves, given their numbers of stays in falling order."""
    alone = sum(number >= SMALL for number in found)
    while alone and 0 < sum(found[alone:]) < SMALL:
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
