"""From score to band."""

import pytest

from wardround.results.bands import band_of, thresholds_from
from wardround.spec.conditions import Bands


def thresholds() -> dict[str, float]:
    return thresholds_from(0.6, Bands(policy="f1", moderate_at=0.5))


def test_the_moderate_band_starts_at_its_share_of_the_high_one() -> None:
    assert thresholds() == {"moderate": 0.3, "high": 0.6}


@pytest.mark.parametrize(
    ("score", "band"),
    [(0.0, "low"), (0.29, "low"), (0.3, "moderate"), (0.59, "moderate"), (0.6, "high"), (1.0, "high")],
)
def test_each_band_starts_at_its_threshold(score: float, band: str) -> None:
    assert band_of(score, thresholds()) == band


@pytest.mark.parametrize("score", [None, float("nan")])
def test_no_score_is_indeterminate_and_never_low(score: float | None) -> None:
    assert band_of(score, thresholds()) == "indeterminate"
