"""The history keeps figures of a run, of its units, and nothing of a single stay."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from wardround.core.run_overview import RunOverview
from wardround.core.run_summary import RunSummary
from wardround.report.history import WHOLE, Change, RunHistory, changes, history_of
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_condition

ABOUT = RunOverview(
    run="sepsis-20260102T050000Z-a1b2c3",
    kind="screening",
    condition="sepsis",
    state="complete",
    source="ward",
    as_of=datetime(2026, 1, 2, 5, tzinfo=UTC),
    mode="live",
    model_version="1.0.0-abc",
)


@pytest.fixture(scope="module")
def condition(schemas: Any) -> Condition:
    return load_condition("sepsis", schemas)


def ledger(*rows: tuple[str, str, str, float, str]) -> pd.DataFrame:
    """Of rows (unit, outcome, reason, score, band)."""
    return pd.DataFrame(list(rows), columns=["unit", "outcome", "reason", "score", "band"])


def scored(unit: str, score: float = 0.1, band: str = "low") -> tuple[str, str, str, float, str]:
    return unit, "scored", "", score, band


def kept(condition: Condition, stays: pd.DataFrame, **more: Any) -> RunHistory:
    outcomes = ("scored", "indeterminate", "excluded", "failed")
    counts = {name: int((stays["outcome"] == name).sum()) for name in outcomes}
    summary = {"found": len(stays), **counts, "written": counts["scored"], **more.get("summary", {})}
    return history_of(
        ABOUT,
        condition,
        RunSummary.model_validate(summary),
        stays,
        more.get("set_aside", {}),
        more.get("inputs", ({}, 0)),
    )


def value(history: RunHistory, measure: str, unit: str = WHOLE) -> float | None:
    found = [figure.value for figure in history.figures if (figure.unit, figure.measure) == (unit, measure)]
    assert len(found) <= 1
    return found[0] if found else None


def test_the_figures_of_the_whole_run_are_those_of_its_summary_and_ledger(condition):
    stays = ledger(
        *(scored("A", score) for score in (0.1, 0.2, 0.3)),
        scored("A", 0.6, "moderate"),
        scored("A", 0.8, "high"),
        ("A", "excluded", "under_age", float("nan"), ""),
        ("A", "failed", "write:412", float("nan"), ""),
        ("A", "indeterminate", "minimum_data", float("nan"), ""),
    )
    history = kept(
        condition,
        stays,
        summary={"hours_after_as_of": 0.25, "http_requests": 12},
        set_aside={"lactate": {"comparator": 4, "unknown_unit": 1}},
    )
    wanted = {
        "found": 8,
        "scored": 5,
        "low": 3,
        "moderate": 1,
        "high": 1,
        "indeterminate": 1,
        "excluded": 1,
        "failed": 1,
    }
    wanted |= {"written": 5, "excluded:under_age": 1, "failed:write:412": 1, "indeterminate:minimum_data": 1}
    wanted |= {"set_aside:lactate": 5, "hours_after_as_of": 0.25, "http_requests": 12, "mean_score": 0.4}
    assert {one.measure: round(one.value, 9) for one in history.figures if one.unit == WHOLE} == wanted
    assert (history.run, history.source, history.as_of) == (ABOUT.run, "ward", ABOUT.as_of)


def test_a_reason_that_quotes_somebody_is_kept_without_the_quotation(condition):
    reasons = ["write:Patient Joan Doe is unknown", "no such thing as Joan", "task:score", "under_age"]
    stays = ledger(*(("A", "failed", reason, float("nan"), "") for reason in reasons))
    history = kept(condition, stays)
    failed = {one.measure for one in history.figures if one.measure.startswith("failed:")}
    assert failed == {"failed:write", "failed:other", "failed:task:score", "failed:under_age"}
    assert "Joan" not in repr(history)


def test_units_with_few_stays_are_counted_together_and_never_told_apart(condition):
    stays = ledger(*[scored("Large", 0.9, "high")] * 6, *[scored("Small")] * 3, *[scored("Tiny", 0.9, "high")] * 2)
    history = kept(condition, stays)
    assert {one.unit for one in history.figures} == {WHOLE, "Large", "Other units"}
    assert (value(history, "found", "Other units"), value(history, "high", "Other units")) == (5, 2)


def test_the_mean_of_few_scores_is_not_kept_for_it_tells_each(condition):
    assert value(kept(condition, ledger(*[scored("A", 0.4)] * 4)), "mean_score") is None
    assert value(kept(condition, ledger(*[scored("A", 0.4)] * 5)), "mean_score") == pytest.approx(0.4)


def test_an_empty_ward_has_its_zeros(condition):
    history = kept(condition, ledger())
    assert {one.unit for one in history.figures} == {WHOLE}
    assert value(history, "found") == value(history, "high") == 0


def test_units_that_servers_call_as_they_like_are_no_reason_to_fail(condition):
    stays = ledger(*[scored("Other units")] * 6, *[scored("a\0b")] * 5, *[scored("Small")] * 2, *[scored("")] * 5)
    history = kept(condition, stays)
    assert len({(one.unit, one.measure) for one in history.figures}) == len(history.figures)
    assert value(history, "found", "Other units") is not None
    assert sum(one.value for one in history.figures if one.measure == "found" and one.unit != WHOLE) == 18
    assert "\0" not in repr([one.unit for one in history.figures])


def test_a_variable_that_was_known_of_half_the_stays_says_so(condition):
    columns = [feature.name for feature in condition.feature_list if feature.variable == "lactate"]
    history = kept(condition, ledger(), inputs=(dict.fromkeys(columns, 5), 10))
    assert value(history, "known:lactate") == 0.5


def test_only_what_differs_is_a_change_and_what_one_run_has_not_is_nothing_in_it(condition):
    before = kept(condition, ledger(*[scored("A")] * 6))
    after = kept(condition, ledger(*[scored("A")] * 6, ("A", "failed", "write:412", float("nan"), "")))
    found = changes(before, after)
    assert Change(WHOLE, "failed:write:412", None, 1.0) in found
    assert Change("A", "found", 6.0, 7.0) in found
    assert not [change for change in found if change.measure in ("scored", "low", "high")]
    assert changes(before, before) == ()
