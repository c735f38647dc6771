"""Tests which runs a rule no longer needs, and what may still be done with one."""

from datetime import UTC, datetime

import pytest

from wardround.core.run_overview import RunName, RunOverview, State
from wardround.core.run_retention import Rule, left_to_do

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def runs(*days: int, condition: str = "sepsis", source: str = "ward") -> list[RunOverview]:
    """Runs of these days of January, at noon."""
    names = [RunName(condition, f"202601{day:02d}T120000Z", "0a1b2c") for day in days]
    return [RunOverview(str(one), one.kind, one.of_condition, "complete", source=source) for one in names]


def days(judged: dict[str, object], stays: object = None) -> list[int]:
    return [RunName.of(run).time.day for run, why in judged.items() if why == stays]


def test_a_rule_by_age_is_about_earlier_runs_and_leaves_the_latest():
    judged = Rule(before=NOON).judge(runs(7, 6, 5, 4, 3))
    assert (days(judged), days(judged, "latest")) == ([4, 3], [])
    judged = Rule(before=NOON).judge(runs(4, 3, 2))
    assert (days(judged), days(judged, "latest")) == ([3, 2], [4])


def test_a_rule_by_number_counts_the_runs_of_each_condition_and_source():
    of_both = runs(7, 6, 5), runs(4, 3, 2, source="children"), runs(3, 2, condition="train_sepsis")
    judged = Rule(keep=2).judge([run for some in of_both for run in some])
    assert (days(judged), days(judged, "latest")) == ([5, 2], [])


def test_of_both_rules_a_run_must_meet_both():
    judged = Rule(before=NOON, keep=3).judge(runs(7, 6, 4, 3, 2))
    assert (days(judged), days(judged, "latest")) == ([3, 2], [4])


@pytest.mark.parametrize(
    ("state", "left"),
    [
        ("complete", None),
        ("in_doubt", None),
        ("taken_back", None),
        ("trained", None),
        ("unfinished", "not_ended"),
        ("stopped", "not_ended"),
        ("unreadable", "not_ended"),
        ("incomplete", "not_complete"),
    ],
)
def test_what_is_left_to_do_follows_from_how_the_run_ended(state: State, left: str | None):
    run = RunOverview("sepsis-20260102T120000Z-0a1b2c", "screening", "sepsis", state)
    assert left_to_do(run, retracting=False, in_history=True, decided=True) == left


def test_a_run_stays_until_it_is_retracted_in_the_history_and_decided_about():
    run, training = runs(2)[0], RunOverview("train_sepsis-20260102T120000Z-0a1b2c", "training", "sepsis", "trained")
    assert left_to_do(run, retracting=True, in_history=True, decided=True) == "not_complete"
    assert left_to_do(run, retracting=False, in_history=False, decided=True) == "not_in_history"
    assert left_to_do(training, retracting=False, in_history=True, decided=False) == "undecided"
