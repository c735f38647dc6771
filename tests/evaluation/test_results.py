"""An evaluation loses nothing when stored, and every missing figure has a reason."""

import pytest

from wardround.evaluation.results import Evaluation, OtherOnset


def test_an_evaluation_is_the_same_after_json(evaluation: Evaluation) -> None:
    assert Evaluation.model_validate_json(evaluation.model_dump_json()) == evaluation


def test_another_onset_without_metrics_says_why() -> None:
    with pytest.raises(ValueError, match="either metrics or a reason"):
        OtherOnset()
    assert OtherOnset(reason="the label has no onset").metrics is None
