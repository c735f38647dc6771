"""Alerts with the lock-out are those of the alert policy of every door, whatever the order of the rows."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from wardround.evaluation.alerts import Alerts
from wardround.results.alert_policy import AlertPolicy, Notification, Verdict, verdict

HOUR = timedelta(hours=1)
START = pd.Timestamp("2150-01-01T00:00Z")


def _rows(generator: np.random.Generator) -> pd.DataFrame:
    """The hours of 40 stays of 1 to 60 hours, with gaps, in any order; some stays have odd seconds."""
    parts = []
    for stay in range(40):
        hours = np.flatnonzero(generator.random(generator.integers(1, 60)) < 0.8)
        odd = pd.Timedelta(seconds=int(generator.integers(0, 2)) * 37)
        parts.append(pd.DataFrame({"stay_id": f"s{stay}", "as_of": START + odd + pd.to_timedelta(hours, unit="h")}))
    rows = pd.concat(parts, ignore_index=True)
    return rows.sample(frac=1, random_state=3).reset_index(drop=True)


def _told(rows: pd.DataFrame, high: np.ndarray, lock_out: timedelta) -> np.ndarray:
    """What a door tells people, one prediction after the other."""
    policy = AlertPolicy(lock_out=lock_out, late_after=HOUR, band="high")
    told, last = np.zeros(len(rows), dtype=bool), {}
    for place in rows.sort_values("as_of").index:
        stay, as_of = rows.loc[place, "stay_id"], rows.loc[place, "as_of"].to_pydatetime()
        band, score = ("high", 0.9) if high[place] else ("low", 0.1)
        if verdict(score, band, as_of, policy, last.get(stay), as_of) is Verdict.NOTIFY:
            told[place], last[stay] = True, Notification(as_of, as_of, band)
    return told


@pytest.mark.parametrize("hours", [0, 1, 2.5, 12, 1000])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 1.0])
def test_alerts_are_raised_where_the_policy_of_every_door_tells_people(hours, share) -> None:
    generator = np.random.default_rng(int(10 * share + hours))
    rows = _rows(generator)
    high, lock_out = generator.random(len(rows)) < share, timedelta(hours=hours)
    raised = Alerts.of(rows, lock_out, 1).raised(high)
    assert raised.tolist() == _told(rows, high, lock_out).tolist()


def test_more_predictions_in_the_high_band_never_raise_fewer_alerts() -> None:
    generator = np.random.default_rng(8)
    rows = _rows(generator)
    score, alerts = generator.random(len(rows)), Alerts.of(rows, 5 * HOUR, 1)
    counts = [int(alerts.raised(score >= at).sum()) for at in np.sort(score)[::-1]]
    assert counts == sorted(counts)
    assert counts[-1] > 40


def test_two_predictions_of_one_time_raise_one_alert() -> None:
    rows = pd.DataFrame({"stay_id": ["a", "a", "b"], "as_of": [START] * 3})
    assert Alerts.of(rows, timedelta(), 1).raised(np.ones(3, dtype=bool)).tolist() == [True, False, True]


def test_the_rate_is_of_the_days_that_all_rows_stand_for() -> None:
    rows = pd.DataFrame({"stay_id": "a", "as_of": START + pd.to_timedelta(range(48), unit="h")})
    high = np.arange(48) < 13
    assert Alerts.of(rows, 12 * HOUR, 1).per_100_patient_days(high) == pytest.approx(100)  # two in two days
    assert Alerts.of(rows, 12 * HOUR, 24).per_100_patient_days(high) == pytest.approx(100 / 24)


def test_stays_of_years_do_not_run_into_each_other() -> None:
    times = [START, START + pd.Timedelta(days=4000), START + pd.Timedelta(days=4001)]
    rows = pd.DataFrame({"stay_id": ["a", "a", "b"], "as_of": times})
    assert Alerts.of(rows, timedelta(days=3999), 24).raised(np.ones(3, dtype=bool)).all()


def test_of_no_rows_there_are_no_alerts() -> None:
    rows = pd.DataFrame({"stay_id": pd.Series(dtype="str"), "as_of": pd.Series(dtype="datetime64[us, UTC]")})
    assert Alerts.of(rows, HOUR, 1).raised(np.zeros(0, dtype=bool)).tolist() == []
