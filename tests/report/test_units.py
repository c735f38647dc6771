"""Counts per unit add up, and small units are hidden from people who may not see patients."""

import pandas as pd
import pytest

from wardround.core.events import frame_of
from wardround.core.ledger import LEDGER_COLUMNS
from wardround.report.units import EVERY, NAMED, OTHERS, SMALL, UNNAMED, UnitCounts, by_unit


def ledger(**units: int) -> pd.DataFrame:
    """The given number of scored stays in each unit."""
    named = [name for name, number in units.items() for _ in range(number)]
    rows = [
        {"stay_id": f"s{place}", "unit": unit, "chunk": 1, "outcome": "scored", "band": "low", "written": True}
        for place, unit in enumerate(named)
    ]
    return frame_of(LEDGER_COLUMNS, rows)


def test_the_stays_of_a_unit_are_counted_by_outcome() -> None:
    told = ledger(MICU=6).assign(
        outcome=["scored", "scored", "scored", "indeterminate", "excluded", "failed"],
        band=["high", "low", "high", "indeterminate", "", "high"],
    )
    assert by_unit(told, EVERY) == (UnitCounts("MICU", 6, 3, 2, 1, 1, 1),)


def test_the_largest_unit_comes_first_and_equal_ones_by_name() -> None:
    assert [unit.unit for unit in by_unit(ledger(b=1, a=1, c=2), EVERY)] == ["c", "a", "b"]


def test_a_stay_without_a_unit_is_counted_as_such() -> None:
    [unit] = by_unit(ledger(x=1).assign(unit=""), EVERY)
    assert unit.unit == UNNAMED


@pytest.mark.parametrize(
    ("units", "told"),
    [
        ({"a": 9, "b": 3, "c": 2}, [("a", 9), (OTHERS, 5)]),
        # Three alone could be found by subtraction, and by their number, so the next smallest unit joins them.
        ({"a": 9, "b": 6, "c": 3}, [("a", 9), (OTHERS, 9)]),
        ({"a": 5, "b": 5}, [("a", 5), ("b", 5)]),
        ({"a": 5, "b": 1}, [("All units", 6)]),
        ({"a": 2}, [("All units", 2)]),
        ({}, []),
    ],
)
def test_small_units_are_counted_together_so_that_none_can_be_identified(
    units: dict[str, int], told: list[tuple[str, int]]
):
    counted = by_unit(ledger(**units), SMALL)
    assert [(unit.unit, unit.found) for unit in counted] == told
    assert all(unit.found >= SMALL for unit in counted) or sum(units.values()) < SMALL


def test_among_very_many_units_the_smallest_are_counted_together() -> None:
    counted = by_unit(ledger(**{f"bed{number:03}": 1 for number in range(NAMED + 7)}), EVERY)
    assert (len(counted), counted[-1].unit, counted[-1].found) == (NAMED + 1, OTHERS, 7)
