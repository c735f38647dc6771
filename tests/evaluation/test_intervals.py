"""Intervals count patients, agree with independent computations, and are reasons where nothing can be known."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest, norm, t, ttest_rel

from wardround.evaluation import intervals
from wardround.evaluation.intervals import (
    Estimate,
    Interval,
    degrees_of_freedom,
    effective_rows,
    interval_of_difference,
    interval_of_difference_in_same_rows,
    interval_of_difference_of_means,
    mean_interval,
    quantile,
    quantile_interval,
    share_interval,
    smooth_interval,
)
from wardround.evaluation.samples import Classes, Drawn

MANY = np.arange(50) < 20
"""Twenty patients with the outcome, and thirty without."""
BY_CHANCE = Drawn.by_chance(50)


def _share(hits: np.ndarray, rows: np.ndarray, most: np.ndarray | None = None) -> Interval:
    return share_interval(hits, rows, Drawn.by_chance(len(rows)), most)


def _effective(hits: np.ndarray, rows: np.ndarray, most: np.ndarray) -> float:
    return effective_rows(hits, rows, most, Drawn.by_chance(len(rows)))


@pytest.mark.parametrize("hits", [0, 1, 3, 12])
def test_independent_patients_with_a_row_each_have_wilsons_interval(hits: int) -> None:
    found, expected = _share(np.repeat([1.0, 0.0], [hits, 12 - hits]), np.ones(12)), binomtest(hits, 12)
    wilson = expected.proportion_ci(method="wilson")
    assert found[:2] == pytest.approx((wilson.low, wilson.high))


@pytest.mark.parametrize("hits", [0, 3, 12])
def test_rows_of_a_patient_that_are_all_alike_count_as_one(hits: int) -> None:
    found = _share(np.repeat([6.0, 0.0], [hits, 12 - hits]), np.full(12, 6.0))
    # scipy's interval of so many independent patients; a variance that is observed is divided by 11, not 12.
    wide, narrow = (binomtest(hits * k // 12, k).proportion_ci(method="wilson") for k in (12, 24))
    assert found.low == pytest.approx(wide.low, abs=0.015)
    assert found.high == pytest.approx(wide.high, abs=0.015)
    assert found.high - found.low > narrow.high - narrow.low


def test_the_variance_of_a_share_is_that_of_leaving_each_patient_out() -> None:
    generator = np.random.default_rng(5)
    rows = generator.integers(1, 40, size=300).astype(float)
    hits = generator.binomial(rows.astype(int), generator.beta(2, 5, size=300)).astype(float)
    share, without = hits.sum() / rows.sum(), (hits.sum() - hits) / (rows.sum() - rows)
    observed = 299 / 300 * ((without - share) ** 2).sum() * (rows.sum() - 1) / rows.sum()
    squared = (hits - share * rows) ** 2
    # Of so many patients, the assumption that a patient's rows are alike weighs next to nothing.
    degrees = degrees_of_freedom(squared)
    alike = share * (1 - share) * (rows**2).sum() / rows.sum() ** 2
    expected = share * (1 - share) / ((degrees * observed + alike) / (degrees + 1))
    assert _effective(hits, rows, rows) == pytest.approx(expected, rel=1e-3)


def test_the_more_the_assumption_weighs_the_less_certain_is_a_share() -> None:
    generator, rows = np.random.default_rng(3), np.full(6, 10.0)
    hits, drawn = generator.binomial(10, 0.4, size=6).astype(float), Drawn.by_chance(6)
    nothing, one, two, all_alike = (effective_rows(hits, rows, rows, drawn, each) for each in (0.0, 1.0, 2.0, 1e9))
    assert nothing > one > two > all_alike == pytest.approx(6, rel=1e-3)
    assert effective_rows(hits, rows, rows, drawn) == one


def test_rows_that_vary_within_a_patient_as_between_patients_count_almost_each() -> None:
    generator = np.random.default_rng(3)
    rows = np.full(400, 5.0)
    assert _effective(generator.binomial(5, 0.3, size=400).astype(float), rows, rows) == pytest.approx(2000, rel=0.1)
    alike = 5.0 * generator.binomial(1, 0.3, size=400)
    assert _effective(alike, rows, rows) == pytest.approx(400, rel=0.02)


def test_without_variation_patients_count_by_kish_and_not_by_rows() -> None:
    # (1 + 1 + 8)^2 / (1 + 1 + 64)
    assert _effective(*[np.array([1.0, 1, 8])] * 3) == pytest.approx(100 / 66)
    # Half of every patient's rows: nothing differs between patients, but two patients are not 200 rows.
    assert _effective(np.array([50.0, 50]), *[np.array([100.0, 100])] * 2) == pytest.approx(2)


def test_hits_that_are_limited_are_a_share_of_the_most_that_there_can_be() -> None:
    rows, most = np.full(10, 24.0), np.full(10, 2.0)
    found, expected = _share(np.zeros(10), rows, most), binomtest(0, 10).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((0, expected.high * 2 / 24))
    generator, rows, most = np.random.default_rng(3), np.full(400, 24.0), np.full(400, 2.0)
    assert _effective(2.0 * generator.binomial(1, 0.3, size=400), rows, most) == pytest.approx(400, rel=0.02)
    assert _effective(generator.binomial(2, 0.3, size=400).astype(float), rows, most) == pytest.approx(800, rel=0.1)
    assert _share(most, rows, most).high == pytest.approx(2 / 24), "nobody can have more"


def test_limited_hits_are_covered_as_often_as_promised_and_not_always() -> None:
    # Alerts with a lock-out of 12 hours: 1 to 2 in a stay of 14 hours, up to 4 in one of 40; patients keep their level.
    generator, trainings, patients = np.random.default_rng(12), 1500, 30
    limited, unlimited = np.zeros(trainings), np.zeros(trainings)
    truth = norm.cdf(-1.2 / np.sqrt(2)) * (2 * 2 / 3 + 4 / 3) / (14 * 2 / 3 + 40 / 3)
    for training in range(trainings):
        long = generator.random(patients) < 1 / 3
        rows, most = np.where(long, 40.0, 14.0), np.where(long, 4, 2)
        alerts = generator.binomial(most, norm.cdf(generator.normal(-1.2, 1, size=patients))).astype(float)
        for covered, bound in ((limited, most.astype(float)), (unlimited, None)):
            low, high, _ = _share(alerts, rows, bound)
            covered[training] = low <= truth <= high
    assert 0.93 <= limited.mean() <= 0.98
    assert unlimited.mean() > 0.985, "as if all 40 hours could raise an alert"


def _mean(sums: np.ndarray, rows: np.ndarray, of_one: float, most: np.ndarray) -> Interval:
    value, has_it = float(sums.sum() / rows.sum()), np.arange(len(rows)) < 2
    mean = Estimate(value, Interval(), (sums - value * rows) / rows.sum(), rows)
    return mean_interval(mean, has_it, of_one, Drawn.by_chance(len(rows)), most)


def test_a_mean_of_nothing_but_0_and_1_has_nearly_wilsons_interval() -> None:
    hits, rows = np.repeat([1.0, 0.0], [30, 90]), np.ones(120)
    expected = binomtest(30, 120).proportion_ci(method="wilson")
    assert _mean(hits, rows, 30 / 120 * 90 / 120, rows)[:2] == pytest.approx((expected.low, expected.high), abs=0.001)


def test_a_mean_is_the_more_certain_the_less_patients_differ_and_the_fewer_rows_can_count_for_much() -> None:
    generator, rows = np.random.default_rng(3), np.full(12, 24.0)
    sums = rows * generator.uniform(0.1, 0.3, size=12)
    wide, less, limited = (
        _mean(*given) for given in ((sums, rows, 0.1, rows), (sums, rows, 0.01, rows), (sums, rows, 0.1, rows / 4))
    )
    for narrower in (less, limited):
        assert wide.low < narrower.low < sums.sum() / rows.sum() < narrower.high < wide.high


@pytest.mark.parametrize(("with_outcome", "which"), [(0, "with"), (12, "without")])
def test_a_mean_needs_a_patient_of_each_class(with_outcome: int, which: str) -> None:
    mean = Estimate(0.2, Interval(), np.linspace(-0.1, 0.1, 12), np.ones(12))
    found = mean_interval(mean, np.arange(12) < with_outcome, 0.1, Drawn.by_chance(12), np.ones(12))
    assert found == Interval(reason=f"too few patients {which} the outcome (0) for an interval")


def test_the_difference_of_many_paired_means_is_students() -> None:
    generator, has_it = np.random.default_rng(3), np.arange(400) < 40
    values = generator.uniform(size=(2, 400))
    first, second = (Estimate(one.mean(), Interval(), (one - one.mean()) / 400, np.ones(400)) for one in values)
    low, high, _ = interval_of_difference_of_means(first, second, has_it, Drawn.by_chance(400))
    expected = ttest_rel(*values).confidence_interval(0.95)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.001)
    assert interval_of_difference_of_means(first, first, has_it, Drawn.by_chance(400)).reason == (
        "no interval: every patient gives the same figure"
    )


def test_patients_without_rows_that_count_do_not_count() -> None:
    hits, rows = np.array([2.0, 1, 0]), np.array([3.0, 2, 4])
    assert _share(np.r_[hits, 0, 0], np.r_[rows, 0, 0]) == _share(hits, rows)


@pytest.mark.parametrize("patients", [3, 6, 12, 25, 50])
def test_independent_patients_are_covered_on_average_over_shares_as_often_as_promised(patients: int) -> None:
    shares = np.linspace(0.5, 0.98, 49)
    covered = np.zeros(len(shares))
    for hits in range(patients + 1):
        low, high, _ = _share(np.repeat([1.0, 0.0], [hits, patients - hits]), np.ones(patients))
        covered += binom.pmf(hits, patients, shares) * ((low <= shares) & (shares <= high))
    assert 0.94 < covered.mean() < 0.98


def test_a_smooth_figure_has_students_interval_of_what_patients_add_to_it() -> None:
    # Those with the outcome add more to it, so that it moves with their number.
    parts = np.random.default_rng(1).normal(size=50) / 100 + np.where(MANY, 0.03, -0.02)
    squared = parts**2
    degrees = 2 * squared.sum() ** 2 / ((squared**2).sum() - squared.sum() ** 2 / 50)
    reach = t.ppf(0.975, degrees) * np.sqrt(squared.sum())
    assert smooth_interval(0.8, parts, MANY, BY_CHANCE, "as it is")[:2] == pytest.approx((0.8 - reach, 0.8 + reach))
    low, high, _ = smooth_interval(0.8, parts, MANY, BY_CHANCE, "log-odds")
    odds = [np.log(end / (1 - end)) for end in (low, 0.8, high)]
    assert np.diff(odds) == pytest.approx([reach / 0.16] * 2), "even on the scale of log-odds"
    assert high < 1
    both = smooth_interval(0.8, parts, MANY, BY_CHANCE, "both")
    assert (both.low, both.high) == (min(low, 0.8 - reach), min(max(high, 0.8 + reach), 1.0))
    assert 0 < smooth_interval(0.99, parts, MANY, BY_CHANCE, "both").high <= 1


def test_parts_that_add_up_to_nothing_in_each_class_have_the_sample_variance_of_each() -> None:
    # As in the AUROC (DeLong 1988): 20 patients of one class and 30 of the other, of each of whom one is not free.
    parts = np.random.default_rng(1).normal(size=50) / 100
    parts -= np.where(MANY, parts[MANY].mean(), parts[~MANY].mean())
    variance = 20 * parts[MANY].var(ddof=1) + 30 * parts[~MANY].var(ddof=1)
    low, high, _ = smooth_interval(0.8, parts, MANY, BY_CHANCE, "as it is")
    assert (high - low) / 2 == pytest.approx(t.ppf(0.975, degrees_of_freedom(parts**2)) * np.sqrt(variance))


def test_degrees_of_freedom_are_those_of_the_patients_that_vary() -> None:
    assert degrees_of_freedom(np.ones(10)) == 10
    assert degrees_of_freedom(np.r_[1.0, np.full(99, 1e-6)]) == pytest.approx(2, rel=0.05)
    assert degrees_of_freedom(np.random.default_rng(1).normal(size=20_000) ** 2) == pytest.approx(20_000, rel=0.05)


@pytest.mark.parametrize(
    ("classes", "reason"),
    [
        (Classes(9, 30), "too few patients with the outcome (9) for an interval"),
        (Classes(30, 0), "too few patients without the outcome (0) for an interval"),
        (Classes(10, 10), None),
    ],
)
def test_a_smooth_figure_needs_ten_patients_of_each_class(classes: Classes, reason: str | None) -> None:
    has_it = np.arange(sum(classes)) < classes.with_outcome
    parts = np.where(np.arange(sum(classes)) % 2, 0.1, -0.1)
    assert smooth_interval(0.8, parts, has_it, Drawn.by_chance(len(parts)), "as it is").reason == reason


@pytest.mark.parametrize(("value", "parts"), [(0.7, np.zeros(50)), (1.0, np.zeros(50)), (1.0, np.full(50, 1e-17))])
def test_no_variation_is_no_interval(value: float, parts: np.ndarray) -> None:
    found = smooth_interval(value, parts, MANY, BY_CHANCE, "log-odds")
    assert found == Interval(reason="no interval: every patient gives the same figure")


def _estimate(value: float, low: float, high: float, parts: list[float], counted: int = 10) -> Estimate:
    every = np.zeros(10)
    every[: len(parts)] = parts
    return Estimate(value, Interval(low, high), every, (np.arange(10) < counted).astype(float))


def _difference(first: Estimate, second: Estimate) -> Interval:
    return interval_of_difference(first, second, Drawn.by_chance(10))


def test_the_difference_of_shares_is_newcombes() -> None:
    # Newcombe 1998, Statist. Med. 17:873 (method 8 without the correlation): square-and-add.
    first, second = _estimate(0.7, 0.5, 0.8, [0.1, 0.0, -0.1]), _estimate(0.4, 0.3, 0.6, [0.1, -0.2, 0.1])
    low, high, _ = _difference(first, second)
    assert low == pytest.approx(0.3 - np.hypot(0.2, 0.2))
    assert high == pytest.approx(0.3 + np.hypot(0.1, 0.1))


def test_shares_that_rise_together_differ_less() -> None:
    first, second = _estimate(0.7, 0.5, 0.8, [0.1, 0.0, -0.1]), _estimate(0.4, 0.2, 0.6, [0.1, 0.01, -0.11])
    low, high, _ = _difference(first, second)
    assert high - low < np.hypot(0.2, 0.2) + np.hypot(0.1, 0.2)


BOTH = pytest.mark.parametrize("difference", [interval_of_difference, interval_of_difference_in_same_rows])


@BOTH
def test_a_difference_without_an_interval_says_why(difference) -> None:
    first, drawn = _estimate(0.7, 0.5, 0.8, [0.1, -0.1]), Drawn.by_chance(10)
    none = first._replace(interval=Interval(reason="too few"))
    assert difference(first, none, drawn).reason == "too few"
    assert difference(none, first, drawn).reason == "too few"
    assert difference(first, first, drawn).reason == "no interval: every patient gives the same figure"


@BOTH
def test_a_difference_needs_ten_patients_in_both_figures(difference) -> None:
    many, few = _estimate(0.7, 0.5, 0.8, [0.1, 0.0, -0.1]), _estimate(0.4, 0.3, 0.6, [0.1, -0.2, 0.1], counted=9)
    for pair in ((many, few), (few, many)):
        assert difference(*pair, Drawn.by_chance(10)) == Interval(reason="too few patients (9) for an interval")


def _of(hits: np.ndarray, rows: np.ndarray) -> Estimate:
    share = hits.sum() / rows.sum()
    return Estimate(share, _share(hits, rows), (hits - share * rows) / rows.sum(), rows)


def test_the_difference_of_many_paired_shares_is_mcnemars() -> None:
    # Of 400 patients with a row each, 40 are flagged by the first model alone, and 24 by the second alone.
    first, second = np.repeat([1.0, 1, 0, 0], [60, 40, 24, 276]), np.repeat([1.0, 0, 1, 0], [60, 40, 24, 276])
    low, high, _ = interval_of_difference_in_same_rows(
        _of(first, np.ones(400)), _of(second, np.ones(400)), Drawn.by_chance(400)
    )
    # Agresti, Categorical Data Analysis (2013), eq. 11.2: the variance of a difference of matched proportions.
    reach = norm.ppf(0.975) * np.sqrt((40 + 24 - (40 - 24) ** 2 / 400) / 400**2)
    assert ((high - low) / 2, (low + high) / 2) == (pytest.approx(reach, rel=0.002), pytest.approx(0.04))


@pytest.mark.parametrize(
    ("patients", "difference", "floor", "ceiling"),
    [
        (30, interval_of_difference_in_same_rows, 0.93, 0.97),
        (12, interval_of_difference_in_same_rows, 0.92, 0.97),
        (12, interval_of_difference, 0.93, 0.985),
        (3, interval_of_difference, 0.8, 0.92),
    ],
)
def test_a_difference_of_shares_is_covered_as_promised_from_about_ten_patients_on(
    monkeypatch, patients: int, difference, floor: float, ceiling: float
) -> None:
    monkeypatch.setattr(intervals, "FEWEST_PATIENTS", 3)
    # Six rows of each patient, which resemble each other; two models whose scores do, too, flag a fifth and a third.
    generator, trainings = np.random.default_rng(12), 500
    scores = generator.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], size=(trainings, patients, 7))
    resembling = np.sqrt(0.7) * scores[:, :, :1] + np.sqrt(0.3) * scores[:, :, 1:]
    hits = (resembling > norm.ppf([4 / 5, 2 / 3])).sum(axis=2).astype(float)
    covered, rows = [], np.full(patients, 6.0)
    for training in hits:
        low, high, _ = difference(*(_of(each, rows) for each in training.T), Drawn.by_chance(patients))
        if low is not None and high is not None:
            covered.append(low <= 1 / 5 - 1 / 3 <= high)
    assert floor <= np.mean(covered) <= ceiling


def test_a_quantile_covers_its_share_and_its_interval_lies_between_values_in_order() -> None:
    values, patients = np.arange(1.0, 41), np.arange(40)
    assert [quantile(values, share) for share in (0.0, 0.25, 0.5, 0.501, 1.0)] == [1, 10, 20, 21, 40]
    low, high, _ = quantile_interval(values, patients, 0.5)
    # Of 40 independent values, 14 to 26 lie below the true median with a probability of 96 %.
    assert (low, high) == (14, 27)
    assert binom.cdf(26, 40, 0.5) - binom.cdf(13, 40, 0.5) == pytest.approx(0.962, abs=0.001)


def test_a_quartile_of_few_patients_has_no_interval_where_its_median_has_one() -> None:
    values, patients = np.arange(10.0), np.arange(10)
    assert quantile_interval(values, patients, 0.25) == Interval(reason="too few patients (10) for an interval")
    assert quantile_interval(values, patients, 0.5)[:2] == (1, 8)


def test_a_quantile_of_under_ten_patients_has_no_interval() -> None:
    found = quantile_interval(np.arange(40.0), np.arange(40) % 9, 0.5)
    assert found == Interval(reason="too few patients (9) for an interval")
