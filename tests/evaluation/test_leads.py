"""How long before its onset a stay is first flagged."""

import numpy as np
import pandas as pd
import pytest

from wardround.evaluation.leads import lead_time

ONSET = pd.Timestamp("2150-01-02T00:00Z")


def _rows(leads: list[float], patients: list[str] | None = None) -> pd.DataFrame:
    """A stay for each lead, with a row that many hours before its onset and another an hour and a half later."""
    rows = [
        {
            "stay_id": f"s{place:03}",
            "patient_id": patients[place] if patients else f"p{place:03}",
            "as_of": ONSET - pd.Timedelta(hours=lead - later),
            "outcome": True,
            "onset": ONSET,
        }
        for place, lead in enumerate(leads)
        for later in (1.5, 0)
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=3)


def _flagged(rows: pd.DataFrame) -> np.ndarray:
    return np.full(len(rows), 0.5)


def test_a_quartile_is_the_first_lead_that_covers_its_share_of_stays() -> None:
    rows = _rows([7, 2, 9, 4, 1, 10, 3, 8, 6, 5])
    found = lead_time(rows, _flagged(rows), 0.5)
    assert (found.stays_with_onset, found.stays_alerted) == (10, 10), "a row at the threshold is flagged"
    # A quarter of ten is reached with the third, half with the fifth, three quarters with the eighth.
    assert (found.lower_quartile.value, found.median.value, found.upper_quartile.value) == (3, 5, 8)
    assert 1 <= found.median.low <= 5 <= found.median.high <= 10


def test_the_first_of_several_true_alerts_counts_and_no_false_one() -> None:
    rows = _rows([20.0] * 10)
    last = (rows["as_of"] == rows["as_of"].max()).to_numpy()
    assert lead_time(rows, np.where(last, 0.9, 0.4), 0.5).median.value == 18.5
    assert lead_time(rows.assign(outcome=last), _flagged(rows), 0.5).median.value == 18.5


def test_with_fewer_than_ten_stays_there_are_counts_and_a_reason() -> None:
    rows = _rows([float(lead) for lead in range(1, 13)])
    score = np.where(rows["stay_id"] < "s009", 0.5, 0.4)
    found = lead_time(rows, score, 0.5)
    assert (found.stays_with_onset, found.stays_alerted) == (12, 9)
    for quartile in (found.lower_quartile, found.median, found.upper_quartile):
        assert (quartile.value, quartile.reason) == (None, "fewer than 10 stays had a true alert")


def test_the_stays_of_few_patients_have_quartiles_but_no_interval() -> None:
    rows = _rows([float(lead) for lead in range(1, 21)], patients=[f"p{place % 9}" for place in range(20)])
    found = lead_time(rows, _flagged(rows), 0.5)
    for quartile in (found.lower_quartile, found.median, found.upper_quartile):
        assert quartile.value is not None
        assert (quartile.low, quartile.reason) == (None, "too few patients (9) for an interval")


def test_leads_that_are_all_the_same_have_no_interval() -> None:
    rows = _rows([5.0] * 12)
    found = lead_time(rows, _flagged(rows), 0.5).median
    assert (found.value, found.low) == (5, None)
    assert found.reason == "no interval: most values are the same"


def test_the_interval_is_narrower_for_more_patients() -> None:
    hours = np.random.default_rng(1).uniform(1, 100, size=200).tolist()
    rows, of_a_few = _rows(hours), _rows(hours, patients=[f"p{int(lead) // 5}" for lead in hours])
    many, few = (lead_time(each, _flagged(each), 0.5).median for each in (rows, of_a_few))
    assert many.low < many.value < many.high
    assert many.high - many.low < few.high - few.low, "stays of a patient resemble each other here"


def test_without_an_onset_of_a_row_with_the_outcome_there_is_a_reason() -> None:
    rows = _rows([5.0] * 10)
    for changed in (rows.assign(outcome=False), rows.assign(onset=pd.to_datetime(pd.NaT, utc=True))):
        found = lead_time(changed, _flagged(rows), 0.5)
        assert (found.stays_with_onset, found.stays_alerted) == (0, 0)
        assert found.median.reason == "no stay with the outcome has a time of onset"


@pytest.mark.parametrize(("outcome", "onsets"), [(True, 10), (False, 0)])
def test_stays_with_an_onset_are_those_that_have_a_row_with_the_outcome(outcome: bool, onsets: int) -> None:
    rows = _rows([5.0] * 10).assign(outcome=outcome)
    assert lead_time(rows, _flagged(rows), 0.9).stays_with_onset == onsets
