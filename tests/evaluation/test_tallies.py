"""Rows are counted by score and by patient."""

import numpy as np

from wardround.evaluation.tallies import Scores, Steps


def test_each_distinct_score_is_a_step_with_the_highest_first() -> None:
    tally = Steps.of(np.array([1, 0, 1, 0]), Scores(np.array([0.1, 0.1, 0.1, 0.7]), 0.1)).tally()
    # The mean of three scores of 0.1 would be a little more.
    assert (tally.score.tolist(), tally.flagged) == ([0.7, 0.1], 2)
    assert (tally.positives.tolist(), tally.negatives.tolist()) == ([0, 2], [1, 1])


def test_flagged_rows_are_counted_exactly_wherever_the_threshold_lies() -> None:
    generator = np.random.default_rng(5)
    outcome, score = generator.integers(0, 2, size=200), generator.permutation(200) / 200
    for threshold in np.r_[score, 0.0025, 2.0, -1.0]:
        tally, flagged = Steps.of(outcome, Scores(score, threshold)).tally(), score >= threshold
        assert (np.diff(tally.score) < 0).all()
        assert tally.true_alerts == (flagged & (outcome == 1)).sum()
        assert tally.false_alerts == (flagged & (outcome == 0)).sum()


def test_sums_are_over_all_rows_of_a_patient_by_their_step_and_outcome() -> None:
    outcome, score = np.array([1, 0, 0, 1, 0]), np.array([0.9, 0.1, 0.5, 0.5, 0.9])
    steps = Steps.of(outcome, Scores(score, 0.5))
    # Steps are 0.9, 0.5 and 0.1; columns are without and with the outcome.
    worth = np.array([[1.0, 10.0], [100.0, 1000.0], [10000.0, 0.0]])
    assert steps.by_patient(worth, np.array([0, 0, 1, 1, 2])).tolist() == [10010, 1100, 1]
