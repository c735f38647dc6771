"""Intervals count patients, agree with independent computations, and are reasons where nothing can be known."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest, norm, t

from wardround.evaluation.intervals import (
    Classes,
    Estimate,
    Interval,
    degrees_of_freedom,
    effective_rows,
    interval_of_difference,
    quantile,
    quantile_interval,
    share_interval,
    smooth_interval,
)

MANY = Classes(with_outcome=20, without=30)


@pytest.mark.parametrize("hits", [0, 3, 12])
@pytest.mark.parametrize("rows", [1, 6])
def test_rows_of_a_patient_that_are_all_alike_count_as_one(hits: int, rows: int) -> None:
    found = share_interval(np.repeat([rows, 0.0], [hits, 12 - hits]), np.full(12, float(rows)))
    # scipy's interval of so many independent patients; a variance that is observed is divided by 11, not 12.
    wide, narrow = (binomtest(hits * k // 12, k).proportion_ci(method="wilson") for k in (12, 24))
    assert found.low == pytest.approx(wide.low, abs=0.015)
    assert found.high == pytest.approx(wide.high, abs=0.015)
    assert found.high - found.low > narrow.high - narrow.low


def test_rows_that_vary_within_a_patient_as_between_patients_count_almost_each() -> None:
    generator = np.random.default_rng(3)
    rows = np.full(400, 5.0)
    assert effective_rows(generator.binomial(5, 0.3, size=400).astype(float), rows, rows) == pytest.approx(
        2000, rel=0.1
    )
    alike = 5.0 * generator.binomial(1, 0.3, size=400)
    assert effective_rows(alike, rows, rows) == pytest.approx(400, rel=0.02)


def test_without_variation_patients_count_by_kish_and_not_by_rows() -> None:
    # (1 + 1 + 8)^2 / (1 + 1 + 64)
    assert effective_rows(*[np.array([1.0, 1, 8])] * 3) == pytest.approx(100 / 66)
    # Half of every patient's rows: nothing differs between patients, but two patients are not 200 rows.
    assert effective_rows(np.array([50.0, 50]), *[np.array([100.0, 100])] * 2) == pytest.approx(2)


def test_hits_that_are_limited_are_a_share_of_the_most_that_there_can_be() -> None:
    rows, most = np.full(10, 24.0), np.full(10, 2.0)
    found, expected = share_interval(np.zeros(10), rows, most), binomtest(0, 10).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((0, expected.high * 2 / 24))
    generator, rows, most = np.random.default_rng(3), np.full(400, 24.0), np.full(400, 2.0)
    assert effective_rows(2.0 * generator.binomial(1, 0.3, size=400), rows, most) == pytest.approx(400, rel=0.02)
    assert effective_rows(generator.binomial(2, 0.3, size=400).astype(float), rows, most) == pytest.approx(800, rel=0.1)
    assert share_interval(most, rows, most).high == pytest.approx(2 / 24), "nobody can have more"


def test_limited_hits_are_covered_as_often_as_promised_and_not_always() -> None:
    # Alerts with a lock-out of 12 hours: 1 to 2 in a stay of 14 hours, up to 4 in one of 40; patients keep their level.
    generator, trainings, patients = np.random.default_rng(12), 500, 30
    limited, unlimited = np.zeros(trainings), np.zeros(trainings)
    truth = norm.cdf(-1.2 / np.sqrt(2)) * (2 * 2 / 3 + 4 / 3) / (14 * 2 / 3 + 40 / 3)
    for training in range(trainings):
        long = generator.random(patients) < 1 / 3
        rows, most = np.where(long, 40.0, 14.0), np.where(long, 4, 2)
        alerts = generator.binomial(most, norm.cdf(generator.normal(-1.2, 1, size=patients))).astype(float)
        for covered, bound in ((limited, most.astype(float)), (unlimited, None)):
            low, high, _ = share_interval(alerts, rows, bound)
            covered[training] = low <= truth <= high
    assert 0.93 <= limited.mean() <= 0.98
    assert unlimited.mean() > 0.985, "as if all 40 hours could raise an alert"


def test_patients_without_rows_that_count_do_not_count() -> None:
    hits, rows = np.array([2.0, 1, 0]), np.array([3.0, 2, 4])
    assert share_interval(np.r_[hits, 0, 0], np.r_[rows, 0, 0]) == share_interval(hits, rows)


@pytest.mark.parametrize("patients", [3, 6, 12, 25, 50])
def test_independent_patients_are_covered_on_average_over_shares_as_often_as_promised(patients: int) -> None:
    shares = np.linspace(0.5, 0.98, 49)
    covered = np.zeros(len(shares))
    for hits in range(patients + 1):
        low, high, _ = share_interval(np.repeat([1.0, 0.0], [hits, patients - hits]), np.ones(patients))
        covered += binom.pmf(hits, patients, shares) * ((low <= shares) & (shares <= high))
    assert 0.94 < covered.mean() < 0.98


def test_a_smooth_figure_has_students_interval_enlarged_as_for_the_rarer_class() -> None:
    parts = np.array([0.03, -0.01, -0.02, 0.02, -0.02])
    squared = parts**2
    degrees = 2 * squared.sum() ** 2 / ((squared**2).sum() - squared.sum() ** 2 / 5)
    reach = t.ppf(0.975, degrees) * np.sqrt(squared.sum() * 20 / 19)
    assert smooth_interval(0.8, parts, MANY, "as it is")[:2] == pytest.approx((0.8 - reach, 0.8 + reach))
    low, high, _ = smooth_interval(0.8, parts, MANY, "log-odds")
    odds = [np.log(end / (1 - end)) for end in (low, 0.8, high)]
    assert np.diff(odds) == pytest.approx([reach / 0.16] * 2), "even on the scale of log-odds"
    assert high < 1
    both = smooth_interval(0.8, parts, MANY, "both")
    assert (both.low, both.high) == (min(low, 0.8 - reach), max(high, 0.8 + reach))
    assert 0 < smooth_interval(0.99, parts, MANY, "both").high <= 1


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
    assert smooth_interval(0.8, np.array([0.1, -0.1]), classes, "as it is").reason == reason


@pytest.mark.parametrize(("value", "parts"), [(0.7, np.zeros(50)), (1.0, np.zeros(50)), (1.0, np.full(50, 1e-17))])
def test_no_variation_is_no_interval(value: float, parts: np.ndarray) -> None:
    found = smooth_interval(value, parts, MANY, "log-odds")
    assert found == Interval(reason="no interval: every patient gives the same figure")


def _estimate(value: float, low: float, high: float, parts: list[float], patients: int = 10) -> Estimate:
    return Estimate(value, Interval(low, high), np.array(parts), patients)


def test_the_difference_of_shares_is_newcombes() -> None:
    # Newcombe 1998, Statist. Med. 17:873 (method 8 without the correlation): square-and-add.
    first, second = _estimate(0.7, 0.5, 0.8, [0.1, 0.0, -0.1]), _estimate(0.4, 0.3, 0.6, [0.1, -0.2, 0.1])
    low, high, _ = interval_of_difference(first, second)
    assert low == pytest.approx(0.3 - np.hypot(0.2, 0.2))
    assert high == pytest.approx(0.3 + np.hypot(0.1, 0.1))


def test_shares_that_rise_together_differ_less() -> None:
    first, second = _estimate(0.7, 0.5, 0.8, [0.1, 0.0, -0.1]), _estimate(0.4, 0.2, 0.6, [0.1, 0.01, -0.11])
    low, high, _ = interval_of_difference(first, second)
    assert high - low < np.hypot(0.2, 0.2) + np.hypot(0.1, 0.2)


def test_a_difference_without_an_interval_says_why() -> None:
    first, none = _estimate(0.7, 0.5, 0.8, [0.1, -0.1]), Estimate(0.5, Interval(reason="too few"), np.zeros(2), 10)
    assert interval_of_difference(first, none).reason == "too few"
    assert interval_of_difference(none, first).reason == "too few"
    assert interval_of_difference(first, first).reason == "no interval: every patient gives the same figure"


def test_a_difference_needs_ten_patients_in_both_figures() -> None:
    many, few = _estimate(0.7, 0.5, 0.8, [0.1, 0.0, -0.1]), _estimate(0.4, 0.3, 0.6, [0.1, -0.2, 0.1], patients=9)
    for pair in ((many, few), (few, many)):
        assert interval_of_difference(*pair) == Interval(reason="too few patients (9) for an interval")


@pytest.mark.parametrize(("patients", "floor", "ceiling"), [(12, 0.93, 0.98), (3, 0.8, 0.92)])
def test_a_difference_of_shares_is_covered_as_promised_from_about_ten_patients_on(
    patients: int, floor: float, ceiling: float
) -> None:
    # Six rows of each patient, which resemble each other; two models whose scores do, too, flag a fifth and a third.
    generator, trainings = np.random.default_rng(12), 500
    scores = generator.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], size=(trainings, patients, 7))
    resembling = np.sqrt(0.7) * scores[:, :, :1] + np.sqrt(0.3) * scores[:, :, 1:]
    hits = (resembling > norm.ppf([4 / 5, 2 / 3])).sum(axis=2).astype(float)
    covered, rows = [], np.full(patients, 6.0)
    for training in hits:
        ours, theirs = (
            Estimate(each.sum() / rows.sum(), share_interval(each, rows), each - each.sum() / rows.sum() * rows, 10)
            for each in training.T
        )
        low, high, _ = interval_of_difference(ours, theirs)
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
