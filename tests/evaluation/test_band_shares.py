"""What is in each band, and which band is of no use: by counts of one's own, and never by chance alone."""

import numpy as np
import pandas as pd
import pytest

from wardround.evaluation.band_shares import band_shares, in_percent, useless_bands
from wardround.evaluation.intervals import share_interval
from wardround.evaluation.metrics import measure_with_intervals
from wardround.evaluation.results import BandShare
from wardround.evaluation.samples import Drawn, Sample
from wardround.evaluation.tallies import Scores
from wardround.results.bands import band_of

THRESHOLDS = {"moderate": 0.2, "high": 0.4}


def _of(score: np.ndarray, outcome: np.ndarray, patients: np.ndarray) -> dict[str, BandShare]:
    found = band_shares(
        outcome, Scores(score, THRESHOLDS["high"]), THRESHOLDS["moderate"], Sample.by_chance(pd.Series(patients))
    )
    return {each.band: each for each in found}


def _one_row_each(**rows: int) -> tuple[BandShare, ...]:
    """So many patients with a row in each band."""
    score = np.repeat([0.1, 0.3, 0.5], [rows.get(band, 0) for band in ("low", "moderate", "high")])
    return tuple(_of(score, np.zeros(len(score), dtype=int), np.arange(len(score))).values())


def test_rows_are_in_the_band_that_a_screening_gives_them() -> None:
    generator = np.random.default_rng(1)
    score = generator.random(500).round(1)  # many are at a threshold
    outcome, patients = (generator.random(500) < score).astype(int), generator.integers(0, 60, 500)
    found, band = _of(score, outcome, patients), np.array([band_of(each, THRESHOLDS) for each in score])
    assert list(found) == ["low", "moderate", "high"]
    for name, each in found.items():
        inside = band == name
        assert each.rows == inside.sum()
        assert each.share.value == pytest.approx(inside.mean())
        assert each.observed.value == pytest.approx(outcome[inside].mean())
        hits, rows = (np.bincount(patients, weights=of) for of in (inside, np.ones(500)))
        assert (each.share.low, each.share.high) == pytest.approx(share_interval(hits, rows, Drawn.by_chance(60))[:2])
        assert each.observed.low < each.observed.value < each.observed.high
    assert sum(each.share.value for each in found.values()) == pytest.approx(1)


def test_the_low_band_knows_how_many_hours_of_a_stay_can_have_the_outcome() -> None:
    patients = pd.Series(np.repeat(np.arange(60), 20))
    score, outcome = np.tile(np.repeat([0.1, 0.3, 0.5], [16, 2, 2]), 60), np.zeros((60, 20), dtype=int)
    outcome[:12, -6:] = 1
    sample = Sample.by_chance(patients)
    low, moderate, high = band_shares(outcome.ravel(), Scores(score, 0.4), 0.2, sample.limited(patients, 6))
    hits, rows = (np.bincount(patients, weights=of) for of in (outcome.ravel() * (score < 0.2), score < 0.2))
    expected = share_interval(hits, rows, Drawn.by_chance(60), np.full(60, 6.0))
    assert (low.observed.low, low.observed.high) == pytest.approx(expected[:2])
    assert [moderate, high] == list(band_shares(outcome.ravel(), Scores(score, 0.4), 0.2, sample))[1:]
    assert low != band_shares(outcome.ravel(), Scores(score, 0.4), 0.2, sample)[0]


def test_what_is_observed_in_the_high_band_is_the_ppv() -> None:
    generator, patients = np.random.default_rng(1), np.repeat(np.arange(20), 10)
    score, outcome = generator.random(200), generator.integers(0, 2, 200)
    ppv = measure_with_intervals(outcome, score, THRESHOLDS["high"], Sample.by_chance(pd.Series(patients)))["ppv"]
    assert _of(score, outcome, patients)["high"].observed == ppv


def test_an_empty_band_has_no_observed_share() -> None:
    empty = _one_row_each(low=30, high=10)[1]
    assert (empty.rows, empty.share.value, empty.observed.value) == (0, 0, None)
    assert empty.observed.reason == "no prediction is in this band"
    assert empty.share.high > 0


def test_bands_with_somebody_in_each_are_of_use() -> None:
    assert not list(useless_bands(_one_row_each(low=97, moderate=2, high=1)))
    assert in_percent(_one_row_each(low=97, moderate=2, high=1)) == "low 97.0 %, moderate 2.0 %, high 1.0 %"


@pytest.mark.parametrize("empty", ["low", "moderate", "high"])
def test_a_band_that_is_empty_in_many_patients_is_useless_and_in_few_it_may_be_chance(empty) -> None:
    rows = {band: 0 if band == empty else 250 for band in ("low", "moderate", "high")}
    (found,) = useless_bands(_one_row_each(**rows))
    assert found.sure
    assert f"no prediction of the test patients is {empty}, 0 of 500 (0.0 to 0.8 %)" in found.message
    assert ("policy or its target" if empty == "high" else "`moderate_at`") in found.message
    assert "train again" in found.message
    (found,) = useless_bands(_one_row_each(**{band: number // 10 for band, number in rows.items()}))
    assert not found.sure
    assert found.message.endswith("it may be chance, so this is not judged")


@pytest.mark.parametrize(
    ("rows", "band", "sure"),
    [
        ({"low": 2, "moderate": 997, "high": 1}, "moderate", True),
        ({"low": 2, "moderate": 1, "high": 997}, "high", True),
        ({"low": 9990, "moderate": 5, "high": 5}, "low", True),
        ({"low": 1, "moderate": 60, "high": 1}, "moderate", False),
    ],
)
def test_a_band_that_nearly_everybody_is_in_is_useless(rows, band, sure) -> None:
    (found,) = useless_bands(_one_row_each(**rows))
    assert found.sure is sure
    assert f"nearly all predictions of the test patients are {band}, {rows[band]:,} of" in found.message
    assert ("train again" in found.message) is sure


def test_many_rows_of_few_patients_are_few() -> None:
    score, patients = np.full(5000, 0.3), np.repeat(np.arange(20), 250)
    found = list(useless_bands(tuple(_of(score, np.zeros(5000, dtype=int), patients).values())))
    assert [each.sure for each in found] == [False, False, False]  # two are empty, and one has all


def test_a_band_with_a_true_share_of_one_in_a_hundred_is_rarely_called_useless() -> None:
    # 500 patients of 4 rows; a patient's rows are alike, which is the worst case.
    generator, useless = np.random.default_rng(9), 0
    for _ in range(300):
        high = np.repeat(generator.random(500) < 0.01, 4)
        bands = _of(
            np.where(high, 0.5, np.tile([0.1, 0.3], 1000)), np.zeros(2000, dtype=int), np.repeat(np.arange(500), 4)
        )
        useless += any(each.sure for each in useless_bands(tuple(bands.values())))
    assert useless / 300 < 0.03
