"""`wardround model import`: nothing is opened that nobody trusts; what is imported is served like any other model."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from wardround.adapters.fhir_client import FhirClient
from wardround.adapters.fhir_source import FhirSource
from wardround.cli.main import wardround
from wardround.services.fhir_server.running import running_server
from wardround.settings import PROJECT

EXAMPLES = PROJECT / "docs" / "examples"
SCHEMA = EXAMPLES / "own_model.yaml"
Call = Callable[..., Result]


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def own_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the example's script, run by itself: scikit-learn alone."""
    file = tmp_path_factory.mktemp("own") / "sepsis_model.joblib"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, EXAMPLES / "own_model.py", file], check=True, env=environment)
    return file


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    return {"WARDROUND_VAR": str(tmp_path / "var"), "WARDROUND_MODELS": str(tmp_path / "models"), "USER": "dr.weber"}


@pytest.fixture
def call(places: dict[str, str]) -> Call:
    return lambda *words: CliRunner(env=places).invoke(wardround, [str(word) for word in words])


def imported(call: Call, file: Path, *options: Any) -> dict[str, Any]:
    given = ("--condition", "sepsis", "--trust", sha256(file), "--json", *options)
    result = call("model", "import", file, *given)
    assert result.exit_code == 0, result.output + str(result.exception)
    return dict(json.loads(result.stdout))


def test_a_model_of_a_separate_script_screens_the_ward(own_model, call, simulated_ward) -> None:
    model = imported(call, own_model, "--schema", SCHEMA)
    assert (model["live"], model["digest"]) == (True, sha256(own_model))
    with running_server(data=simulated_ward.fhir) as server:
        words = ("--source", server.base_url, "--as-of", simulated_ward.now.isoformat(), "--json")
        result = call("screen", "sepsis", *words)
        assert result.exit_code == 0, result.output + str(result.exception)
        summary = json.loads(result.stdout)
        with FhirClient(FhirSource(server.base_url)) as client:
            written = list(client.search("RiskAssessment", {}))
    assert summary["scored"] == summary["written"] == len(written) > 0
    assert summary["model_version"] == model["version"]
    assert {one["method"]["coding"][0]["version"] for one in written} == {model["version"]}
    scores = [one["prediction"][0]["probabilityDecimal"] for one in written]
    assert all(0 <= score <= 1 for score in scores)
    assert len(set(scores)) > 1
    assert all("raises the risk" in str(one) or "lowers the risk" in str(one) for one in written)
    assert Path(summary["report"]).is_file()
    assert call("check").exit_code == 0
