"""Holds what the bedside door answers to its own OpenAPI document, by thousands of requests that schemathesis makes."""

import os
import subprocess
from pathlib import Path

import pytest

from wardround.cds.http.running import running_door

pytestmark = pytest.mark.long


def test_every_answer_is_as_the_document_says_and_none_is_a_fault(schemathesis: Path, settings, tmp_path: Path):
    places = {"HOME": settings.home, "VAR": settings.var, "MODELS": settings.models, "DATABASE": settings.database}
    environment = {**os.environ, **{f"WARDROUND_{name}": str(place) for name, place in places.items()}}
    with running_door("--no-jwt", environment=environment) as door:
        document = f"{door.said['base_url']}/openapi.json"
        command = [
            schemathesis,
            "run",
            document,
            "--checks",
            "all",
            "--max-examples",
            "100",
            "--seed",
            "1",
            "--no-color",
        ]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    # It could reach the services, and not only their refusals.
    assert "Missing test data" not in ran.stdout
