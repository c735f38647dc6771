"""Rows are counted by score: exactly, in coarser steps, and as often as their patients are drawn."""

import numpy as np
import pandas as pd
import pytest

from wardround.evaluation import tallies
from wardround.evaluation.tallies import Scores, Steps, Tally


def _many(rows: int = 6000) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes, and scores of which no two are the same."""
    generator = np.random.default_rng(5)
    return generator.integers(0, 2, size=rows), generator.permutation(rows) / rows


def test_each_distinct_score_is_a_step_with_the_highest_first() -> None:
    tally = Steps.of(np.array([1, 0, 1, 0]), Scores(np.array([0.1, 0.1, 0.1, 0.7]), 0.1)).tally()
    # The mean of three scores of 0.1 would be a little more.
    assert (tally.score.tolist(), tally.flagged) == ([0.7, 0.1], 2)
    assert (tally.positives.tolist(), tally.negatives.tolist()) == ([[0, 2]], [[1, 1]])
    assert tally.squared.tolist() == pytest.approx([0.9**2 + 0.1**2 + 0.9**2 + 0.7**2])


def test_too_many_distinct_scores_share_steps_with_their_mean_score() -> None:
    outcome, score = _many()
    steps = Steps.of(outcome, Scores(score, 0.5), 1000)
    assert len(steps.step_score) <= 1001
    assert (np.diff(steps.step_score) < 0).all()
    rows = np.bincount(steps.step)
    assert rows[0] == 1
    assert rows[-1] > rows[0]
    assert steps.step_score == pytest.approx(np.bincount(steps.step, weights=score) / rows)


@pytest.mark.parametrize(("distinct", "share"), [(64, False), (65, True)])
def test_few_enough_distinct_scores_keep_a_step_each(distinct: int, share: bool) -> None:
    outcome, score = _many(distinct)
    assert (len(Steps.of(outcome, Scores(score, 2.0), 64).step_score) < distinct) is share


def test_flagged_rows_are_counted_exactly_wherever_the_threshold_lies() -> None:
    outcome, score = _many(200)
    for threshold in np.r_[score, 0.0025, 2.0, -1.0]:
        tally, flagged = Steps.of(outcome, Scores(score, threshold), 10).tally(), score >= threshold
        assert len(tally.score) <= 11
        assert (np.diff(tally.score) < 0).all()
        assert tally.true_alerts.tolist() == [(flagged & (outcome == 1)).sum()]
        assert tally.false_alerts.tolist() == [(flagged & (outcome == 0)).sum()]


def _drawn(steps: Steps, patients: pd.Series, seed: int = 1, resamples: int = 7) -> Tally:
    """All draws of a bootstrap in one."""
    batches = list(steps.draws(patients, seed, resamples))
    positives, negatives, squared = (
        np.concatenate([getattr(batch, name) for batch in batches]) for name in ("positives", "negatives", "squared")
    )
    return Tally(batches[0].score, positives, negatives, squared, batches[0].flagged)


def _few() -> tuple[Steps, pd.Series, np.ndarray]:
    outcome, score = np.array([1, 0, 0, 1, 0, 1, 0, 0]), np.array([0.9, 0.1, 0.5, 0.5, 0.7, 0.3, 0.1, 0.9])
    return Steps.of(outcome, Scores(score, 0.5)), pd.Series(list("dacbdacb")), np.random.default_rng(2).permutation(8)


def test_there_are_as_many_draws_as_asked_for_in_batches_of_any_size(monkeypatch) -> None:
    steps, patients, _ = _few()
    whole = _drawn(steps, patients)
    assert len(whole.squared) == 7
    # Five steps of two counts: three draws in a batch.
    monkeypatch.setattr(tallies, "_BATCH", 30)
    assert [len(batch.squared) for batch in steps.draws(patients, 1, 7)] == [3, 3, 1]
    apart = _drawn(steps, patients)
    for name in ("positives", "negatives", "squared"):
        assert getattr(apart, name).tolist() == getattr(whole, name).tolist()


def test_draws_depend_on_the_patients_and_the_seed_and_not_on_the_order_of_rows() -> None:
    steps, patients, order = _few()
    shuffled = Steps.of(steps.outcome[order], Scores(steps.score[order], 0.5))
    one, other = _drawn(steps, patients), _drawn(shuffled, patients.iloc[order])
    assert (one.positives.tolist(), one.negatives.tolist()) == (other.positives.tolist(), other.negatives.tolist())
    assert one.squared == pytest.approx(other.squared)
    assert one.positives.tolist() != _drawn(steps, patients, seed=2).positives.tolist()


def test_every_draw_of_a_single_patient_is_the_whole() -> None:
    steps, _, _ = _few()
    drawn, whole = _drawn(steps, pd.Series(["a"] * 8)), steps.tally()
    assert drawn.positives.tolist() == whole.positives.tolist() * 7
    assert drawn.negatives.tolist() == whole.negatives.tolist() * 7
    assert drawn.squared == pytest.approx(np.repeat(whole.squared, 7))


def test_a_draw_has_as_many_patients_as_there_are_and_all_rows_of_each() -> None:
    steps, patients, _ = _few()
    drawn = _drawn(steps, patients, resamples=50)
    # Four patients with two rows each.
    assert (drawn.all_positives + drawn.all_negatives).tolist() == [8] * 50
