"""Two trainings of one condition with different test patients."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from wardround.settings import Settings, settings_from
from wardround.workflows.train import TrainingRequest, train
from wardround.workflows.train.train import Trained

NOW = datetime(2026, 3, 1, 5, tzinfo=UTC)


@pytest.fixture(scope="session")
def two(small_mimic, small_home, tmp_path_factory) -> tuple[Settings, Trained, Trained]:
    """A live model, and another that a person must approve."""
    folder = tmp_path_factory.mktemp("promotion")
    settings = replace(settings_from(), home=small_home, runs=str(folder / "runs"), models=folder / "models")
    request = TrainingRequest(
        condition="sepsis", mimic=small_mimic, created=NOW, candidates=("logistic_regression",), budget=1
    )
    first, second = (
        train(request.model_copy(update={"seed": seed}), settings, "ann", lambda *_: None) for seed in (1, 2)
    )
    return settings, first, second
