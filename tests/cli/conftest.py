"""The quality gate of commands that are called in the tests' process."""

from contextlib import nullcontext
from typing import Any

import pytest

from wardround.workflows.screen import check_quality


@pytest.fixture(autouse=True)
def _gate_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of its own would import Great Expectations anew for each command; test_verbosity.py has theirs."""

    def gate() -> Any:
        return nullcontext(check_quality)

    monkeypatch.setattr("wardround.cli.screen.GateProcess", gate)
