"""Computes 95 % intervals with the patient as the unit, because the rows of a patient resemble each other.

A *share* of rows has the score interval of Wilson (1927) with an effective number of rows: as many independent rows as
would vary like these (Korn & Graubard 1998). So has a *mean* of what rows count between 0 and 1. Any other figure has
an interval from the parts that its patients have in it (the infinitesimal jackknife; for the AUROC this is DeLong's
variance for clustered data, Obuchowski 1997) and Student's t. How patients were drawn decides what of their parts
varies (`evaluation.samples`). What cannot be trusted is a reason instead. benchmarks/coverage.py measures how often
intervals are right.
"""

from collections.abc import Callable
from statistics import NormalDist
from typing import Final, Literal, NamedTuple, Self

import numpy as np

from wardround.evaluation.samples import FEWEST_PATIENTS, Classes, Drawn

_LEVEL: Final = 0.95
_Z: Final = NormalDist().inv_cdf((1 + _LEVEL) / 2)
ASSUMED: Final = 1.0
"""How much the assumption that all rows of a patient are alike weighs, in degrees of freedom of what is observed."""
ASSUMED_OF_ALERTS: Final = 2.0
"""The same of flagged rows, of whose variance little can be seen where few patients have one."""
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


class Estimate(NamedTuple):
    """A figure, its interval, and how far each patient's rows move it; these parts add up to 0 in any unit.

    `counted` is how many rows of each patient are in the figure, such as those with an alert for the PPV.
    """

    value: float
    interval: Interval
    parts: np.ndarray
    counted: np.ndarray


def share_interval(
    hits: np.ndarray, rows: np.ndarray, drawn: Drawn, most: np.ndarray | None = None, assumed: float = ASSUMED
) -> Interval:
    """Returns the interval of a share of rows, sum(hits) / sum(rows), from both counts of each patient.

    Args:
        hits: rows that count as the share, by patient.
        rows: all rows, by patient.
        drawn: how the patients were drawn.
        most: how many hits each patient can have, if that is less than his rows.
        assumed: how much the assumption weighs that all rows of a patient are alike, in degrees of freedom.
    """
    most = rows if most is None else most
    low, high = _wilson(float(hits.sum() / most.sum()), effective_rows(hits, rows, most, drawn, assumed))
    widest = float(most.sum() / rows.sum())
    return Interval(low * widest, high * widest)


def effective_rows(
    hits: np.ndarray, rows: np.ndarray, most: np.ndarray, drawn: Drawn, assumed: float = ASSUMED
) -> float:
    """Returns how many independent rows would vary as much as these, which are at most all that can be hits.

    It lies between two numbers: the one that gives the variance observed between patients (the jackknife's of the
    ratio; Korn & Graubard 1998), and sum(most)^2 / sum(most^2), which holds if all rows of a patient are alike (Kish
    1965). The first counts the more, the more patients contribute to the variance; without any variance, as for a share
    of 0 or 1, only the second does. Independent patients with a row each are as many as they are.
    """
    there = rows > 0
    hits, rows, most = hits[there], rows[there], most[there]
    possible = most.sum()
    share, alike = hits.sum() / possible, possible**2 / (most**2).sum()
    parts, of_one = (hits - hits.sum() / rows.sum() * rows) / possible, share * (1 - share)
    if len(rows) < 2 or not 0 < share < 1 or not (parts**2).sum() > _NOTHING:
        return float(alike)
    found = _observed(parts, rows, drawn.some(there))
    # Of independent rows, the variance observed is that of one row less.
    variance = found.weighed(found.variance * (possible - 1) / possible, of_one / alike, assumed)
    return float(min(max(of_one / variance, 1.0), possible / found.kept))


def mean_interval(mean: Estimate, has_it: np.ndarray, of_one: float, drawn: Drawn, most: np.ndarray) -> Interval:
    """Returns the score interval of a mean of what rows count, each between 0 and 1, as if so certain a share were it.

    Args:
        mean: the mean, what each patient's rows add to it, and how many they are.
        has_it: whether each patient has the outcome in any row; both kinds are needed.
        of_one: variance between rows.
        drawn: how the patients were drawn.
        most: how many rows of each patient can count for much.
    """
    if few := Classes.of(has_it).too_few(with_outcome=1, without=1):
        return Interval(reason=few)
    if not (mean.parts**2).sum() > _NOTHING:
        return Interval(reason=_ALIKE)
    rows = mean.counted
    found = _observed(mean.parts, rows, drawn)
    variance = found.weighed(found.variance, of_one * float(rows @ most) / float(rows.sum()) ** 2)
    return Interval(*_wilson(mean.value, max(mean.value * (1 - mean.value) / variance, 1.0)))


class _Observed(NamedTuple):
    """The variance of a ratio between patients, the share that is left of what it would be if all came by chance, and
    its degrees of freedom."""

    variance: float
    kept: float
    degrees: float

    def weighed(self, variance: float, alike: float, assumed: float = ASSUMED) -> float:
        """Returns a variance that was observed, weighed against that of patients all of whose rows are alike."""
        return (self.degrees * variance + assumed * alike * self.kept) / (self.degrees + assumed)


def _observed(parts: np.ndarray, rows: np.ndarray, drawn: Drawn) -> _Observed:
    """Returns the variance of a ratio from its parts by the jackknife, which knows that a patient with many of the rows
    draws the ratio towards himself (Miller 1974)."""
    patients, without_him = len(rows), 1 - rows / rows.sum()
    varying = drawn.varying(parts)
    of_all, left = (float(((each / without_him) ** 2).sum() * (patients - 1) / patients) for each in (parts, varying))
    return _Observed(left, left / of_all, min(degrees_of_freedom(varying**2), patients - 1))


def smooth_interval(
    value: float,
    parts: np.ndarray,
    has_it: np.ndarray,
    drawn: Drawn,
    scale: Scale,
    fewest: int = FEWEST_PATIENTS,
) -> Interval:
    """Returns the interval of a figure from each patient's part in it.

    Student's t has as many degrees of freedom as patients contribute to the variance.

    Args:
        value: the figure.
        parts: how far each patient's rows move it; they add up to 0.
        has_it: whether each patient has the outcome in any row.
        drawn: how the patients were drawn.
        scale: on which the interval is even; `both` takes the outer ends of two. Log-odds are for 0 to 1.
        fewest: patients with the outcome that an interval needs.
    """
    if few := Classes.of(has_it).too_few(fewest):
        return Interval(reason=few)
    squared = drawn.varying(parts) ** 2
    variance = float(squared.sum()) + sum(_held_back(parts[mine]) for mine in (has_it, ~has_it))
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


def _held_back(parts: np.ndarray) -> float:
    """Returns the variance that a class's parts do not show because they add up to 0, as in the AUROC: n / (n - 1)."""
    return max(float((parts**2).sum() - parts.sum() ** 2), 0.0) / (len(parts) - 1)


def interval_of_difference(first: Estimate, second: Estimate, drawn: Drawn) -> Interval:
    """Returns the interval of one share minus another, of different rows of the same patients, such as two PPVs.

    Its reach is put together from that of both, and from how they vary together (Newcombe 1998; Zou & Donner 2008).
    The latter cannot be known of a few patients, who would make it seem that both shares err alike.
    """
    (low, high, _), (other_low, other_high, _) = first.interval, second.interval
    why = _not_to_compare(first, second)
    if why or low is None or high is None or other_low is None or other_high is None:
        return Interval(reason=why)
    difference = first.value - second.value
    together = _correlation(drawn.varying(first.parts), drawn.varying(second.parts))
    below = _apart(first.value - low, other_high - second.value, together)
    above = _apart(high - first.value, second.value - other_low, together)
    if not below + above > _ROUNDING:
        return Interval(reason=_ALIKE)
    return Interval(difference - below, difference + above)


def interval_of_difference_in_same_rows(first: Estimate, second: Estimate, drawn: Drawn) -> Interval:
    """Returns the interval of one share minus another of the same rows, such as two specificities.

    They differ by the rows that only one of them counts as hits. The variance of these is weighed as that of a share
    is, against the assumption that a patient's rows are alike.
    """
    if why := _not_to_compare(first, second):
        return Interval(reason=why)
    difference, rows = first.value - second.value, first.counted
    parts, there = first.parts - second.parts, rows > 0
    changed = np.abs(parts * rows.sum() + difference * rows).sum() / rows.sum()
    alike = (changed - difference**2) * (rows**2).sum() / rows.sum() ** 2
    found = _observed(parts[there], rows[there], drawn.some(there))
    reach = _Z * float(np.sqrt(found.weighed(found.variance, alike)))
    return Interval(difference - reach, difference + reach)


def interval_of_difference_of_means(first: Estimate, second: Estimate, has_it: np.ndarray, drawn: Drawn) -> Interval:
    """Returns the interval of one mean minus another of the same rows, such as two Brier scores."""
    if few := Classes.of(has_it).too_few():
        return Interval(reason=few)
    parts, difference = first.parts - second.parts, first.value - second.value
    if not (parts**2).sum() > _NOTHING:
        return Interval(reason=_ALIKE)
    reach = _Z * float(np.sqrt(_observed(parts, first.counted, drawn).variance))
    return Interval(difference - reach, difference + reach)


def _not_to_compare(first: Estimate, second: Estimate) -> str | None:
    """Returns why the difference of two shares has no interval."""
    if why := first.interval.reason or second.interval.reason:
        return why
    if (patients := min(int((each.counted > 0).sum()) for each in (first, second))) < FEWEST_PATIENTS:
        return _too_few(patients)
    return _ALIKE if np.allclose(first.parts, second.parts, rtol=_ROUNDING, atol=0) else None


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
    # All of them have the outcome, so that it does not matter how many patients with it were drawn.
    independent = effective_rows(hits, rows, rows.astype(float), Drawn.by_chance(len(rows)))
    reach = _Z * float(np.sqrt(share * (1 - share) / independent))
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
