"""Provides the quality gate for commands that are called in the tests' process."""

from contextlib import nullcontext
from functools import partial

import pytest

from wardround.workflows.screen import check_quality


@pytest.fixture(autouse=True)
def _gate_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares one, since each gate process would import Great Expectations again; test_verbosity.py uses real ones."""
    monkeypatch.setattr("wardround.cli.screen.GateProcess", partial(nullcontext, check_quality))
