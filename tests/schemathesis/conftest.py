"""schemathesis, in an environment of its own that is set up here: it is in no lock of the project."""

from pathlib import Path

import pytest
from tests.environments import environment


@pytest.fixture(scope="session")
def schemathesis() -> Path:
    """The program."""
    python = environment("schemathesis", Path(__file__).parent / "requirements.txt")
    return python.with_name("schemathesis")
