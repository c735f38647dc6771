"""Finds the runs of equal numbers in a column that is sorted."""

import numpy as np


def first_of_each(numbers: np.ndarray) -> np.ndarray:
    """Returns where each run of equal numbers begins. For one stay, `np.diff` takes ten times as long."""
    begins = np.ones(len(numbers), dtype=bool)
    np.not_equal(numbers[1:], numbers[:-1], out=begins[1:])
    return begins.nonzero()[0]


def end_of_each(begins: np.ndarray, length: int) -> np.ndarray:
    """Returns the place behind the last number of each run, of a column of this length (see `first_of_each`)."""
    ends = np.empty_like(begins)
    ends[:-1] = begins[1:]
    ends[-1:] = length
    return ends
