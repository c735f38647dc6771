"""Holds what the bedside door answers to its own OpenAPI document, by a thousand requests that schemathesis makes."""

import os
import subprocess
from pathlib import Path

import pytest

from wardround.cds.http.running import running_door

# A call without prefetch whose server is not listed is a 412, and a model card needs a version that exists.
CONFIGURATION = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "404", "412"]

[checks.negative_data_rejection]
expected-statuses = ["4xx"]

[[operations]]
include-path = "/model-cards/{condition}/{version}"
warnings = false
"""

pytestmark = pytest.mark.long


def test_every_answer_is_as_the_document_says_and_none_is_a_fault(schemathesis: Path, settings, tmp_path: Path):
    places = {"HOME": settings.home, "VAR": settings.var, "MODELS": settings.models, "DATABASE": settings.database}
    environment = {**os.environ, **{f"WARDROUND_{name}": str(place) for name, place in places.items()}}
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    with running_door("--no-jwt", environment=environment) as door:
        asked = [schemathesis, "run", f"{door.said['base_url']}/openapi.json", "--max-examples", "50", "--seed", "1"]
        ran = subprocess.run([*asked, "--no-color"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    # It reached the services, and not only their refusals.
    assert "Missing test data" not in ran.stdout
