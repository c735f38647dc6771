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
    found = lead_time(rows, _flagged(rows), 0.5, seed=1)
    assert (found.stays_with_onset, found.stays_alerted) == (10, 10), "a row at the threshold is flagged"
    # A quarter of ten is reached with the third, half with the fifth, three quarters with the eighth.
    assert (found.lower_quartile.value, found.median.value, found.upper_quartile.value) == (3, 5, 8)
    assert 1 <= found.median.low <= 5 <= found.median.high <= 10


def test_the_first_of_several_true_alerts_counts_and_no_false_one() -> None:
    rows = _rows([20.0] * 10)
    last = (rows["as_of"] == rows["as_of"].max()).to_numpy()
    assert lead_time(rows, np.where(last, 0.9, 0.4), 0.5, seed=1).median.value == 18.5
    assert lead_time(rows.assign(outcome=last), _flagged(rows), 0.5, seed=1).median.value == 18.5


def test_with_fewer_than_ten_stays_there_are_counts_and_a_reason() -> None:
    rows = _rows([float(lead) for lead in range(1, 13)])
    score = np.where(rows["stay_id"] < "s009", 0.5, 0.4)
    found = lead_time(rows, score, 0.5, seed=1)
    assert (found.stays_with_onset, found.stays_alerted) == (12, 9)
    for quartile in (found.lower_quartile, found.median, found.upper_quartile):
        assert (quartile.value, quartile.reason) == (None, "fewer than 10 stays had a true alert")


def test_the_stays_of_a_patient_are_drawn_together() -> None:
    leads = [float(lead) for lead in range(1, 11)]
    rows = _rows(leads, patients=["p"] * 10)
    found = lead_time(rows, _flagged(rows), 0.5, seed=1)
    for quartile in (found.lower_quartile, found.median, found.upper_quartile):
        assert quartile.low == quartile.value == quartile.high, "of one patient every draw is the same"


def test_the_interval_repeats_with_the_seed() -> None:
    rows = _rows(np.random.default_rng(1).uniform(1, 100, size=200).tolist())
    found = lead_time(rows, _flagged(rows), 0.5, seed=1)
    assert found == lead_time(rows, _flagged(rows), 0.5, seed=1)
    assert found != lead_time(rows, _flagged(rows), 0.5, seed=2)
    assert found.median.low < found.median.value < found.median.high


def test_without_an_onset_of_a_row_with_the_outcome_there_is_a_reason() -> None:
    rows = _rows([5.0] * 10)
    for changed in (rows.assign(outcome=False), rows.assign(onset=pd.to_datetime(pd.NaT, utc=True))):
        found = lead_time(changed, _flagged(rows), 0.5, seed=1)
        assert (found.stays_with_onset, found.stays_alerted) == (0, 0)
        assert found.median.reason == "no stay with the outcome has a time of onset"


@pytest.mark.parametrize(("outcome", "onsets"), [(True, 10), (False, 0)])
def test_stays_with_an_onset_are_those_that_have_a_row_with_the_outcome(outcome: bool, onsets: int) -> None:
    rows = _rows([5.0] * 10).assign(outcome=outcome)
    assert lead_time(rows, _flagged(rows), 0.9, seed=1).stays_with_onset == onsets
