"""`wardround check` tells before the night what would fail in it."""

import json
import shutil

import pytest
from click.testing import CliRunner

from wardround.cli.main import wardround
from wardround.errors import SpecError


@pytest.fixture
def home(schemas, tmp_path, monkeypatch):
    """A copy of the project's spec with no model, as WARDROUND_HOME."""
    shutil.copytree(schemas, tmp_path / "include" / "schemas")
    monkeypatch.setenv("WARDROUND_HOME", str(tmp_path))
    return tmp_path


def test_a_right_spec_without_models_passes_and_says_what_to_do(home):
    result = CliRunner().invoke(wardround, ["check", "--json"])
    assert result.exit_code == 0
    rows = {row["condition"]: row for row in json.loads(result.stdout)["conditions"]}
    assert rows["sepsis"]["state"] == "no model"
    assert rows["sepsis"]["remedy"] == "wardround train sepsis --mimic DIR"


def test_a_wrong_spec_fails(home):
    path = home / "include" / "schemas" / "conditions" / "sepsis.yaml"
    path.write_text(path.read_text().replace("min_age", "minimum_age"))
    result = CliRunner().invoke(wardround, ["check"])
    assert isinstance(result.exception, SpecError)
    assert "cohort.minimum_age" in str(result.exception)


def test_a_wrong_server_profile_fails(home):
    path = home / "include" / "schemas" / "servers" / "hapi.yaml"
    path.write_text(path.read_text().replace("page_size", "pagesize"))
    result = CliRunner().invoke(wardround, ["check"])
    assert isinstance(result.exception, SpecError)
    assert "hapi.yaml: pagesize" in str(result.exception)
