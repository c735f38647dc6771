"""Calibrated scores: in order, within 0 and 1, row by row; the candidate's own where there is no calibration."""

import numpy as np
import pytest

from wardround.core.evaluation.calibration import calibrated, log_odds
from wardround.core.evaluation.results import Calibration

SCORES = np.linspace(0, 1, 101)


def test_without_calibration_scores_stay_as_they_are() -> None:
    assert np.array_equal(calibrated(SCORES, Calibration()), SCORES)


def test_platt_scales_and_shifts_the_log_odds() -> None:
    score = calibrated(np.array([0.2, 0.5]), Calibration(method="platt", slope=2.0, intercept=-1.0))
    assert log_odds(score) == pytest.approx(2 * log_odds(np.array([0.2, 0.5])) - 1)


def test_calibration_keeps_the_order_and_never_leaves_0_to_1() -> None:
    score = calibrated(SCORES, Calibration(method="platt", slope=0.3, intercept=4.0))
    assert (np.diff(score) > 0).all()
    assert score.min() > 0
    assert score.max() < 1


def test_a_row_is_calibrated_alike_alone_and_in_company() -> None:
    calibration = Calibration(method="platt", slope=1.7, intercept=-0.4)
    assert [calibrated(SCORES[n : n + 1], calibration)[0] for n in range(101)] == calibrated(
        SCORES, calibration
    ).tolist()


def test_a_slope_that_would_turn_scores_round_is_refused() -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        Calibration(method="platt", slope=-1.0)
