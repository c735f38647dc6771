"""Provides what the readers are compared on; a failed comparison shows the difference."""

from dataclasses import replace
from pathlib import Path

import pytest

from wardround.settings import Settings, settings_from
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_condition

pytest.register_assert_rewrite("tests.readers.three")


@pytest.fixture(scope="module")
def sepsis(schemas: Path) -> Condition:
    return load_condition("sepsis", schemas)


@pytest.fixture(scope="module")
def settings(trained_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Runs and other files are written to a folder for each module; the models are trained ones."""
    folder = tmp_path_factory.mktemp("runs")
    return replace(settings_from(), runs=str(folder), var=folder, models=trained_models)
