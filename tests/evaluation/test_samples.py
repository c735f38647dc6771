"""How patients were drawn decides what varies by chance: against draws from wards whose truth is known."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from wardround.evaluation.intervals import share_interval
from wardround.evaluation.metrics import measure_with_intervals
from wardround.evaluation.samples import Classes, Drawn, Sample

PREVALENCE, SHARE = 0.1, 0.25


def _test_side(generator: np.random.Generator, patients: int, *, split: bool) -> np.ndarray:
    """Which of some patients have the outcome: a quarter of each class of four times as many, or by chance."""
    if not split:
        return generator.random(patients) < PREVALENCE
    ill = generator.binomial(round(patients / SHARE), PREVALENCE)
    return np.repeat([True, False], [round(SHARE * each) for each in (ill, round(patients / SHARE) - ill)])


def _drawn(has_it: np.ndarray, *, split: bool) -> Drawn:
    return Drawn(has_it, Classes.of(has_it), SHARE if split else 1.0)


@pytest.mark.parametrize("in_subgroup", [1.0, 1 / 3])
@pytest.mark.parametrize("split", [True, False])
def test_the_squares_of_what_varies_add_up_to_the_variance_of_a_mean(split: bool, in_subgroup: float) -> None:
    # Values of patients with the outcome are higher by two standard deviations. The mean is of all, or of a third.
    generator, means, found = np.random.default_rng(12), [], []
    for _ in range(3000):
        has_it = _test_side(generator, 120, split=split)
        mine = generator.random(len(has_it)) < in_subgroup
        values = generator.normal(2.0 * has_it)
        means.append(values[mine].mean())
        parts = mine * (values - means[-1]) / mine.sum()
        drawn = _drawn(has_it, split=split)
        found.append((drawn.varying(parts) ** 2).sum())
        # Patients without a part may as well be left out.
        assert (drawn.some(mine).varying(parts[mine]) ** 2).sum() == pytest.approx(found[-1])
    assert np.mean(found) == pytest.approx(np.var(means), rel=0.07)


def test_a_split_by_patient_knows_the_prevalence_as_well_as_all_patients_do() -> None:
    has_it = np.arange(200) < 20
    of_split, by_chance = (
        share_interval(has_it.astype(float), np.ones(200), _drawn(has_it, split=split)) for split in (True, False)
    )
    all_patients, test_patients = (binomtest(20 * k, 200 * k).proportion_ci(method="wilson") for k in (4, 1))
    # The numbers are rounded to whole patients, which adds a little.
    assert of_split[:2] == pytest.approx(tuple(all_patients), abs=0.001)
    assert of_split.low < all_patients.low
    assert by_chance[:2] == pytest.approx(tuple(test_patients))


def test_what_patients_of_a_class_do_not_have_in_common_varies_as_ever() -> None:
    has_it, parts = np.arange(50) < 20, np.random.default_rng(1).normal(size=50)
    parts -= np.where(has_it, parts[has_it].mean(), parts[~has_it].mean())
    assert _drawn(has_it, split=True).varying(parts) == pytest.approx(parts)
    # Nothing can be said of a class of one.
    alone = np.arange(50) < 1
    assert _drawn(alone, split=True).varying(np.where(alone, 0.5, 0.0)) == pytest.approx(np.where(alone, 0.5, 0.0))


def test_the_only_patient_with_the_outcome_stands_for_its_class_in_the_prevalence() -> None:
    alone = np.arange(30) < 1
    sample = Sample.of_each_class(alone.astype(int), pd.Series(np.arange(30)), SHARE)
    found = measure_with_intervals(alone.astype(int), np.full(30, 0.5), 0.9, sample)["prevalence"]
    # A quarter of 120 patients was drawn, with one who has the outcome: there are 3, 4 or 5 of them.
    low, high = (binomtest(each, 120).proportion_ci(method="wilson") for each in (3, 5))
    assert found.low == pytest.approx(low.low, abs=0.005)
    assert found.high == pytest.approx(high.high, abs=0.005)


@pytest.mark.parametrize(("patients", "floor", "ceiling"), [(30, 0.93, 0.98), (120, 0.93, 0.97)])
def test_the_prevalence_of_a_split_is_covered_as_promised_and_not_always(patients, floor, ceiling) -> None:
    generator, trainings = np.random.default_rng(12), 1000
    covered = {True: 0, False: 0}
    for _ in range(trainings):
        has_it = _test_side(generator, patients, split=True)
        for known in covered:
            drawn = _drawn(has_it, split=known)
            low, high, _ = share_interval(has_it.astype(float), np.ones(len(has_it)), drawn)
            covered[known] += low <= PREVALENCE <= high
    assert floor <= covered[True] / trainings <= ceiling
    assert covered[False] / trainings > 0.99, "as if the patients had come by chance"


def test_a_class_is_that_of_the_patient_and_rows_that_are_taken_were_drawn_like_the_others() -> None:
    patients = pd.Series(list("aabbccd"), index=range(10, 17))
    sample = Sample.of_each_class(np.array([0, 1, 0, 0, 0, 0, 1]), patients, SHARE)
    assert (sample.sizes, sample.share) == (Classes(with_outcome=2, without=2), SHARE)
    assert sample.has_it.tolist() == [True, True, False, False, False, False, True]
    # Row by row, without the outcome among them: still a patient with the outcome, of as many drawn as before.
    some = sample.take(np.array([True, False, False, True, True, False, False]))
    assert (some.sizes, some.share, some.has_it.tolist()) == (sample.sizes, SHARE, [True, False, False])
    assert (some.number.tolist(), some.drawn.has_it.tolist()) == ([0, 1, 2], [True, False, False])
    assert some.by_patient(np.array([1.0, 2, 4])).tolist() == [1, 2, 4]


def test_a_patient_can_have_the_outcome_in_so_many_rows_of_each_stay() -> None:
    sample = Sample.by_chance(pd.Series(list("baabbb"), index=range(10, 16)))
    limited = sample.limited(pd.Series(["b1", "a1", "a1", "b2", "b1", "b2"], index=range(10, 16)), 2)
    rows = np.array([9.0, 3.0])
    assert limited.can_have_it(rows).tolist() == [4, 2], "b has two stays"
    # Rows that are taken may be fewer.
    assert limited.take(np.arange(6) > 1).can_have_it(np.array([1.0, 3.0])).tolist() == [1, 3]
    assert sample.limited(sample.patients, None).can_have_it(rows).tolist() == rows.tolist()


def test_patients_who_came_by_chance_belong_to_no_class() -> None:
    parts = np.array([0.5, -0.25, -0.25])
    drawn = Sample.by_chance(pd.Series(list("abbc"))).drawn
    assert (len(drawn.has_it), drawn.share) == (3, 1.0)
    assert drawn.varying(parts).tolist() == parts.tolist()
