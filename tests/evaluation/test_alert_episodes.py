"""What people would be told, by a count of one's own: alerts with the lock-out, true ones, and stays that had them."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from wardround.evaluation.alert_episodes import alert_episodes
from wardround.evaluation.results import AlertEpisodes, Task
from wardround.evaluation.samples import Sample
from wardround.evaluation.tallies import Scores

HOUR = timedelta(hours=1)
START = pd.Timestamp("2150-01-01T00:00Z")
HOURLY = Task(task="hourly", horizon=6 * HOUR, at=HOUR, hours_per_row=1, label="sepsis3", onset_definition="sofa_time")
FOUR = 4 * HOUR


def _stay(name: str, flagged: str, outcome: str, patient: str = "") -> pd.DataFrame:
    """A stay with a row for each character: `x` where the model flags, `x` where the outcome follows."""
    return pd.DataFrame(
        {
            "stay_id": name,
            "patient_id": patient or name,
            "as_of": START + pd.to_timedelta(range(len(flagged)), unit="h"),
            "outcome": [each == "x" for each in outcome],
            "score": [0.9 if each == "x" else 0.1 for each in flagged],
        }
    )


def _found(*stays: pd.DataFrame, lock_out: timedelta = FOUR, task: Task = HOURLY) -> AlertEpisodes:
    rows = pd.concat(stays, ignore_index=True)
    scores, sample = Scores(rows["score"].to_numpy(), 0.5), Sample.by_chance(rows["patient_id"])
    return alert_episodes(rows.drop(columns="score"), scores, sample, task, lock_out)


@pytest.mark.parametrize(
    ("flagged", "outcome", "alerts", "true"),
    [
        ("........", "........", 0, 0),
        ("x.......", "........", 1, 0),
        ("xxxx....", "........", 1, 0),  # three are held back
        ("xxxxx...", "........", 2, 0),  # the lock-out of four hours is over at the fifth
        ("x...x...", "........", 2, 0),
        ("x..xx...", "........", 2, 0),
        ("x.......", "x.......", 1, 1),
        ("xx......", ".x......", 1, 1),  # the outcome follows a prediction that was held back
        ("x.......", ".x......", 1, 0),  # it follows one that was not flagged
        ("xxxxxxxx", "....xxxx", 2, 1),
    ],
)
def test_an_alert_stands_for_the_predictions_that_it_holds_back(flagged, outcome, alerts, true) -> None:
    found = _found(_stay("a", flagged, outcome))
    assert (found.alerts, found.true_alerts) == (alerts, true)


def test_each_stay_has_a_lock_out_of_its_own_whatever_the_order_of_the_rows() -> None:
    a, b = _stay("a", "xx", "..", patient="p"), _stay("b", "xx", ".x", patient="p")
    for rows in ((a, b), (b, a), (pd.concat([a, b])[::-1],)):
        found = _found(*rows)
        assert (found.alerts, found.true_alerts, found.stays) == (2, 1, 2)


def test_the_figures_are_counts_by_counts() -> None:
    stays = [
        _stay("a", "x.......", "........"),  # a false alarm
        _stay("b", "..xx....", "...xxxxx"),  # told
        _stay("c", "........", "....xxxx"),  # missed
        _stay("d", "x.......", "......xx"),  # told, but too early
        _stay("e", "........", "........"),
    ]
    found = _found(*stays)
    assert (found.alerts, found.true_alerts, found.stays, found.stays_with_outcome, found.stays_alerted) == (
        3,
        1,
        5,
        3,
        1,
    )
    assert found.alerts_per_100_patient_days.value == pytest.approx(3 / (40 / 24) * 100)
    assert found.alerts_per_true_alert.value == 3
    assert found.share_alerted.value == pytest.approx(1 / 3)
    assert found.share_false_alarm.value == pytest.approx(1 / 2)


def test_a_daily_prediction_stands_for_a_day() -> None:
    daily = HOURLY.model_copy(update={"task": "daily", "horizon": None, "hours_per_row": 24.0})
    assert _found(_stay("a", "x...", "...."), task=daily).alerts_per_100_patient_days.value == pytest.approx(25)


def test_what_does_not_exist_says_why() -> None:
    found = _found(_stay("a", "....", "...."))
    assert found.alerts_per_100_patient_days.value == 0
    assert found.alerts_per_true_alert.reason == "no alert was true"
    assert found.share_alerted.reason == "no stay with the outcome"
    assert _found(_stay("a", "....", "xxxx")).share_false_alarm.reason == "no stay without the outcome"


def test_intervals_are_over_patients_and_enclose_the_figures() -> None:
    generator = np.random.default_rng(3)
    stays = [
        _stay(f"s{n}", "".join(generator.choice(list("x..."), 24)), "." * 12 + ("x" if n % 3 else ".") * 12)
        for n in range(60)
    ]
    found = _found(*stays)
    for metric in (found.alerts_per_100_patient_days, found.alerts_per_true_alert):
        assert metric.low < metric.value < metric.high
    # Of one patient nothing is known of how patients vary, however many rows there are.
    alone = _found(*(each.assign(patient_id="p") for each in stays)).alerts_per_100_patient_days
    assert alone.value == pytest.approx(found.alerts_per_100_patient_days.value)
    assert alone.high - alone.low > 3 * (found.alerts_per_100_patient_days.high - found.alerts_per_100_patient_days.low)


def test_alerts_per_true_alert_are_the_inverse_of_the_share_that_is_true() -> None:
    stays = [_stay(f"s{n}", "x.......", "x......." if n < 4 else "........") for n in range(12)]
    found, share = _found(*stays).alerts_per_true_alert, binomtest(4, 12).proportion_ci(method="wilson")
    assert found.value == 3
    assert (found.low, found.high) == pytest.approx((1 / share.high, 1 / share.low), rel=0.1)


@pytest.mark.parametrize(
    ("hours", "lock_out", "most"), [(8, FOUR, 2), (9, FOUR, 3), (9, HOUR / 2, 9), (9, timedelta(), 9), (1, FOUR, 1)]
)
def test_no_more_alerts_are_thought_possible_than_the_lock_out_allows(hours, lock_out, most) -> None:
    silent, loud = (
        _found(*(_stay(f"s{n}", each * hours, "." * hours) for n in range(12)), lock_out=lock_out) for each in ".x"
    )
    assert loud.alerts == 12 * most
    # Of 12 patients without an alert, the interval is that of none of 12 who could have had so many each.
    high = binomtest(0, 12).proportion_ci(method="wilson").high
    assert silent.alerts_per_100_patient_days.high == pytest.approx(high * most / hours * 2400)


def test_without_a_lock_out_every_flagged_prediction_is_an_alert() -> None:
    found = _found(_stay("a", "xxxx", "..xx"), lock_out=timedelta())
    assert (found.alerts, found.true_alerts) == (4, 2)
