"""Computes 95 % intervals with the patient as the unit, because the rows of a patient resemble each other.

A *share* of rows has the score interval of Wilson (1927) with an effective number of rows: as many independent rows as
would vary like these (Korn & Graubard 1998). Any other figure has an interval from the parts that its patients have in
it (the infinitesimal jackknife; for the AUROC this is DeLong's variance for clustered data, Obuchowski 1997) and
Student's t. What cannot be trusted is a reason instead. benchmarks/coverage.py measures how often intervals are right.
"""

from collections.abc import Callable
from statistics import NormalDist
from typing import Final, Literal, NamedTuple, Self

import numpy as np

_LEVEL: Final = 0.95
# Of each class; with fewer, neither the variance nor its uncertainty can be known.
FEWEST_PATIENTS: Final = 10
_Z: Final = NormalDist().inv_cdf((1 + _LEVEL) / 2)
# How much the assumption that all rows of a patient are alike weighs, in degrees of freedom of the variance observed.
_ASSUMED: Final = 2.0
# Sums of squares that differ from 0 by rounding alone.
_NOTHING: Final = 1e-20
_ROUNDING: Final = 1e-9
_ALIKE: Final = "no interval: every patient gives the same figure"

Scale = Literal["as it is", "log-odds", "both"]


class Interval(NamedTuple):
    """Both ends of an interval, or the reason why there is none."""

    low: float | None = None
    high: float | None = None
    reason: str | None = None

    def shown(self, figure: Callable[[float], float]) -> Self:
        """Returns the interval of a figure that rises with this one."""
        if self.low is None or self.high is None:
            return self
        return self._replace(low=figure(self.low), high=figure(self.high))


class Classes(NamedTuple):
    """How many patients have the outcome in any row, and how many in none."""

    with_outcome: int
    without: int

    def too_few(self, with_outcome: int = FEWEST_PATIENTS) -> str | None:
        """Returns why there is no interval; None if there are so many patients with the outcome, and enough without."""
        if self.with_outcome < with_outcome:
            return f"too few patients with the outcome ({self.with_outcome}) for an interval"
        if self.without < FEWEST_PATIENTS:
            return f"too few patients without the outcome ({self.without}) for an interval"
        return None


class Estimate(NamedTuple):
    """A figure, its interval, and how far each patient's rows move it; these add up to 0 in any unit.

    `patients` is how many have rows in the figure, such as those with an alert for the PPV.
    """

    value: float
    interval: Interval
    parts: np.ndarray
    patients: int


def share_interval(hits: np.ndarray, rows: np.ndarray, most: np.ndarray | None = None) -> Interval:
    """Returns the interval of a share of rows, sum(hits) / sum(rows), from both counts of each patient.

    Args:
        hits: rows that count as the share, by patient.
        rows: all rows, by patient.
        most: how many hits each patient can have, if that is less than his rows.
    """
    most = rows if most is None else most
    low, high = _wilson(float(hits.sum() / most.sum()), effective_rows(hits, rows, most))
    widest = float(most.sum() / rows.sum())
    return Interval(low * widest, high * widest)


def effective_rows(hits: np.ndarray, rows: np.ndarray, most: np.ndarray) -> float:
    """Returns how many independent rows would vary as much as these, which are at most all that can be hits.

    It lies between two numbers: the one that gives the variance observed between patients (Taylor's linearisation of
    the ratio; Korn & Graubard 1998), and sum(most)^2 / sum(most^2), which holds if all rows of a patient are alike
    (Kish 1965). The first counts the more, the more patients contribute to the variance; without any variance, as for
    a share of 0 or 1, only the second does.
    """
    there = rows > 0
    hits, rows, most = hits[there], rows[there], most[there]
    everything, possible = rows.sum(), most.sum()
    share, alike = hits.sum() / possible, possible**2 / (most**2).sum()
    squared = ((hits - hits.sum() / everything * rows) / possible) ** 2
    if len(rows) < 2 or not 0 < share < 1 or not squared.sum() > _NOTHING:
        return float(alike)
    degrees = min(degrees_of_freedom(squared), len(rows) - 1)
    observed = share * (1 - share) / (squared.sum() * len(rows) / (len(rows) - 1))
    inverse = (degrees / observed + _ASSUMED / alike) / (degrees + _ASSUMED)
    return float(min(1 / inverse, possible))


def smooth_interval(
    value: float, parts: np.ndarray, classes: Classes, scale: Scale, fewest: int = FEWEST_PATIENTS
) -> Interval:
    """Returns the interval of a figure from each patient's part in it.

    The variance is enlarged as for the rarer class alone, and Student's t has as many degrees of freedom as patients
    contribute to the variance.

    Args:
        value: the figure.
        parts: how far each patient's rows move it; they add up to 0.
        classes: patients of each class.
        scale: on which the interval is even; `both` takes the outer ends of two. Log-odds are for 0 to 1.
        fewest: patients with the outcome that an interval needs.
    """
    if few := classes.too_few(fewest):
        return Interval(reason=few)
    squared, rarer = parts**2, min(classes)
    variance = float(squared.sum()) * rarer / (rarer - 1)
    if not variance > _NOTHING or (scale != "as it is" and not 0 < value < 1):
        return Interval(reason=_ALIKE)
    reach = _student(degrees_of_freedom(squared)) * float(np.sqrt(variance))
    even = value - reach, value + reach
    if scale == "as it is":
        return Interval(*even)
    middle, reach = np.log(value / (1 - value)), reach / (value * (1 - value))
    low, high = (float(1 / (1 + np.exp(-end))) for end in (middle - reach, middle + reach))
    if scale == "log-odds":
        return Interval(low, high)
    return Interval(min(low, max(even[0], 0.0)), max(high, min(even[1], 1.0)))


def interval_of_difference(first: Estimate, second: Estimate) -> Interval:
    """Returns the interval of one share minus another, measured on the same patients.

    Its reach is put together from that of both, and from how they vary together (Newcombe 1998; Zou & Donner 2008).
    The latter cannot be known of a few patients, who would make it seem that both shares err alike.
    """
    (low, high, why), (other_low, other_high, other_why) = first.interval, second.interval
    if low is None or high is None or other_low is None or other_high is None:
        return Interval(reason=why or other_why)
    if (patients := min(first.patients, second.patients)) < FEWEST_PATIENTS:
        return Interval(reason=_too_few(patients))
    if np.allclose(first.parts, second.parts, rtol=_ROUNDING, atol=0):
        return Interval(reason=_ALIKE)
    difference, together = first.value - second.value, _correlation(first.parts, second.parts)
    below = _apart(first.value - low, other_high - second.value, together)
    above = _apart(high - first.value, second.value - other_low, together)
    if not below + above > _ROUNDING:
        return Interval(reason=_ALIKE)
    return Interval(difference - below, difference + above)


def quantile_interval(values: np.ndarray, patients: np.ndarray, share: float) -> Interval:
    """Returns the interval of the value that covers this share of values (Woodruff 1952).

    How many of the values lie below the true one varies as a share of so many independent values (see
    `effective_rows`); the ends are the values at the limits of this count.

    Args:
        values: at least one.
        patients: number of each value's patient, from 0.
        share: 0.5 for the median.
    """
    rows = np.bincount(patients)
    hits = np.bincount(patients, weights=values <= quantile(values, share))
    reach = _Z * float(np.sqrt(share * (1 - share) / effective_rows(hits, rows, rows.astype(float))))
    if len(rows) < FEWEST_PATIENTS or not reach < min(share, 1 - share):
        return Interval(reason=_too_few(len(rows)))
    above = int(np.floor((share + reach) * len(values) + _ROUNDING))
    low, high = quantile(values, share - reach), float(np.sort(values)[above])
    return Interval(low, high) if low < high else Interval(reason="no interval: most values are the same")


def quantile(values: np.ndarray, share: float) -> float:
    """Returns the first value, in order, that covers this share of the values."""
    place = int(np.ceil(share * len(values) - _ROUNDING)) - 1
    return float(np.sort(values)[max(place, 0)])


def degrees_of_freedom(squared: np.ndarray) -> float:
    """Returns the degrees of freedom of the sum of squared parts, as those of the chi square that varies as much.

    That is about n for n normal parts, and less if few patients make up most of the sum (Satterthwaite 1946).
    """
    total = squared.sum()
    spread = (squared**2).sum() - total**2 / len(squared)
    return max(float(2 * total**2 / spread), 1.0) if spread > _ROUNDING * total**2 else float(len(squared))


def _too_few(patients: int) -> str:
    return f"too few patients ({patients}) for an interval"


def _wilson(share: float, rows: float) -> tuple[float, float]:
    """Returns the score interval of a share of so many independent rows (Wilson 1927)."""
    middle = share + _Z**2 / (2 * rows)
    reach = _Z * float(np.sqrt(share * (1 - share) / rows + _Z**2 / (4 * rows**2)))
    whole = 1 + _Z**2 / rows
    return max((middle - reach) / whole, 0.0), min((middle + reach) / whole, 1.0)


def _student(degrees: float) -> float:
    """Returns the quantile of Student's t for an interval."""
    # scipy takes a third of a second to import.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + _LEVEL) / 2))


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float(first @ second) / size if size > 0 else 0.0


def _apart(one: float, other: float, together: float) -> float:
    return float(np.sqrt(max(one**2 - 2 * together * one * other + other**2, 0.0)))
