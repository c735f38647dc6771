"""Decides whether enough is known for a score. Below the minimum a stay is indeterminate, never low."""

import numpy as np

from wardround.features.subjects import Subjects


def known_variables(values: np.ndarray, subjects: Subjects) -> np.ndarray:
    """Returns, per row (x condition.columns), how many variables of the minimum data have an event in a window.

    An event that is too old for every feature of the variable's values is not enough: that something was measured last
    week does not make up for its value today.
    """
    if subjects.has_beyond_values:
        values = np.where(subjects.beyond_values, np.nan, values)
    return np.asarray(subjects.known(values)[:, subjects.of_minimum_data].sum(axis=1))


def enough_data(values: np.ndarray, subjects: Subjects) -> np.ndarray:
    """Returns, per row (x condition.columns), whether a score may be given."""
    return known_variables(values, subjects) >= subjects.condition.minimum_data.at_least
