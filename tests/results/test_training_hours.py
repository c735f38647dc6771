"""A model is asked only within the hours since admission that its card states."""

from datetime import timedelta

import numpy as np
import pytest
from pydantic import ValidationError

from wardround.results.training_hours import TrainingHours, outside_training_hours

COVERED = TrainingHours(first=timedelta(hours=6), last=timedelta(hours=96))


def test_both_ends_are_covered_and_an_unknown_time_is_not() -> None:
    hours = np.array([0.0, 5.99, 6.0, 50.0, 96.0, 96.01, np.nan])
    assert outside_training_hours(hours, COVERED).tolist() == [True, True, False, False, False, True, True]


def test_a_model_that_states_no_hours_is_asked_at_any() -> None:
    assert outside_training_hours(np.array([0.0, 5000.0, np.nan]), None).tolist() == [False] * 3


def test_hours_that_end_before_they_begin_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"end .* before they begin"):
        TrainingHours(first=timedelta(hours=6), last=timedelta(hours=5))
