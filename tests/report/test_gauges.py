"""What is told to those who watch an installation: the run's figures, and no small unit, patient or run."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wardround.core.run_overview import RunOverview
from wardround.core.run_summary import RunSummary
from wardround.report.gauges import FEWEST, GAUGES, UNIT_STAYS, Gauge, gauges_of
from wardround.report.units import ALL, OTHERS

AS_OF = datetime(2026, 1, 2, 5, tzinfo=UTC)
ABOUT = RunOverview(
    run="sepsis-20260102T050000Z-a1b2c3",
    kind="screening",
    condition="sepsis",
    state="complete",
    source="ward",
    as_of=AS_OF,
    mode="live",
    model_version="1.0.0-abc",
    began=AS_OF + timedelta(minutes=1),
    ended=AS_OF + timedelta(minutes=4),
)
OUTCOMES = ("scored", "indeterminate", "excluded", "failed")


def ledger(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """Of rows (unit, outcome, band)."""
    return pd.DataFrame(list(rows), columns=["unit", "outcome", "band"])


def ward(**units: int) -> pd.DataFrame:
    """The given number of scored stays in each unit."""
    return ledger(*(row for unit, number in units.items() for row in [(unit, "scored", "low")] * number))


def told(stays: pd.DataFrame, source: str | None = "ward", **more: Any) -> tuple[Gauge, ...]:
    counts = {name: int((stays["outcome"] == name).sum()) for name in OUTCOMES}
    summary = RunSummary.model_validate({"found": len(stays), **counts, **more})
    return gauges_of(ABOUT, source, summary, stays, {"lactate": {"comparator": 2, "unknown_unit": 3}})


def values(gauges: tuple[Gauge, ...], name: str, label: str = "") -> dict[str, float]:
    """Returns the gauge's values by that label."""
    return {one.labels.get(label, ""): one.value for one in gauges if one.name == f"wardround.screening.{name}"}


def by_unit(gauges: tuple[Gauge, ...], outcome: str = "found") -> dict[str, float]:
    return {
        one.labels["unit"]: one.value
        for one in gauges
        if one.labels.get("outcome") == outcome and one.name == UNIT_STAYS
    }


def test_a_runs_figures_are_those_of_its_summary_and_ledger():
    stays = ledger(
        *[("A", "scored", "low")] * 3,
        ("A", "scored", "high"),
        ("A", "failed", "high"),
        ("A", "excluded", ""),
        ("A", "indeterminate", "indeterminate"),
    )
    census = {"at_least": 20, "doubt": "too_few", "before": {"run": "r0", "found": 30}}
    gauges = told(stays, to_write=4, written=3, problems={"s1": "missing"}, complete=False, census=census)

    assert values(gauges, "stays", "outcome") == {"scored": 4, "indeterminate": 1, "excluded": 1, "failed": 1}
    assert values(gauges, "bands", "band") == {"low": 3, "moderate": 0, "high": 1}
    assert values(gauges, "differing", "what") == {"missing": 1, "duplicate": 0, "different": 0}
    assert values(gauges, "readings_set_aside", "variable") == {"lactate": 5}
    single = ("to_write", "written", "complete", "stays_expected", "stays_before", "census_in_doubt")
    assert [values(gauges, name)[""] for name in single] == [4, 3, 0, 20, 30, 1]
    assert [values(gauges, name)[""] for name in ("as_of", "as_of_age", "duration")] == [AS_OF.timestamp(), 240, 180]


def test_every_gauge_is_declared_and_a_whole_run_has_each():
    gauges = told(ward(A=10), census={"before": {"run": "r0", "found": 3}})
    assert list(dict.fromkeys(one.name for one in gauges)) == list(GAUGES)


def test_no_label_has_a_key_that_is_not_listed():
    keys = {key for one in told(ward(A=12, B=3)) for key in one.labels}
    assert keys == {"condition", "source", "mode", "outcome", "band", "what", "variable", "unit"}


def test_nothing_names_a_stay_or_the_run_or_the_run_before():
    census = {"before": {"run": "sepsis-20260101T050000Z-ffffff", "found": 3}}
    said = repr(told(ward(A=10), run=ABOUT.run, problems={"stay-77": "missing"}, census=census, report="/runs/x"))
    assert [mark for mark in ("stay-77", ABOUT.run, "a1b2c3", "ffffff", "/runs/x", "1.0.0-abc") if mark in said] == []


def test_a_source_without_a_name_is_told_as_such_for_its_url_may_say_more():
    assert {one.labels["source"] for one in told(ward(A=1), source=None)} == {"unnamed"}


@pytest.mark.parametrize(
    ("units", "named"),
    [
        ({"A": 12, "B": 10}, {"A": 12, "B": 10}),
        ({"A": 12, "B": 6, "C": 4}, {"A": 12, OTHERS: 10}),
        # Nine alone would be known by subtraction, and are fewer than ten, so the next unit joins them.
        ({"A": 20, "B": 12, "C": 9}, {"A": 20, OTHERS: 21}),
        ({"A": 12, "B": 9}, {ALL: 21}),
        ({"A": 9}, {ALL: 9}),
        ({}, {}),
    ],
)
def test_a_unit_of_fewer_than_ten_stays_is_named_nowhere_and_cannot_be_calculated(units, named):
    assert by_unit(told(ward(**units))) == named


@given(st.dictionaries(st.text(min_size=1, max_size=120), st.integers(1, 25), max_size=12))
def test_whatever_the_units_no_label_and_no_difference_tells_fewer_than_ten_stays(units):
    found = by_unit(told(ward(**units)))
    assert sum(found.values()) == sum(units.values())
    if sum(units.values()) >= FEWEST:
        assert all(number >= FEWEST for number in found.values())
    small = {name[:100] for name, number in units.items() if number < FEWEST} - {OTHERS, ALL}
    assert small & set(found) == {name[:100] for name, number in units.items() if number >= FEWEST} & small


def test_a_unit_with_the_name_of_those_counted_together_is_added_to_them():
    found = by_unit(
        told(
            ledger(
                *[(OTHERS, "scored", "low")] * 12,
                *[("B", "scored", "low")] * 11,
                *[("C", "scored", "low")] * 10,
                *[("D", "failed", "")] * 3,
                *[("E", "failed", "")] * 8,
            )
        )
    )
    assert found == {OTHERS: 23, "B": 11, "C": 10}


def test_what_became_of_a_units_stays_adds_up():
    rows = [("A", "scored", "high")] * 2 + [("A", "scored", "low")] * 5 + [("A", "failed", "")] * 3
    gauges = told(ledger(*rows))
    assert {what: by_unit(gauges, what) for what in ("scored", "high", "failed", "excluded")} == {
        "scored": {"A": 7},
        "high": {"A": 2},
        "failed": {"A": 3},
        "excluded": {"A": 0},
    }
