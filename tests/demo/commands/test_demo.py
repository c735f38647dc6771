"""Tests `wardround demo` as called by `make demo`."""

import json
import os
import subprocess
import sys

import pytest

from wardround.errors import SettingsError, SourceDataError
from wardround.spec.loading import condition_ids

pytestmark = pytest.mark.slow

KEYS = {"found", "scored", "indeterminate", "excluded", "failed", "written", "run", "report", "model_version"}


def demo(var, *options, **variables):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("WARDROUND_", "AIRFLOW"))}
    environment |= {"WARDROUND_VAR": str(var)} | variables
    if "MIMIC_CSV_PATH" not in variables:
        environment.pop("MIMIC_CSV_PATH", None)
    command = [sys.executable, "-m", "wardround", "demo", *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_demo_writes_a_summary_per_condition_even_after_a_failed_demo(tmp_path, schemas):
    broken = demo(tmp_path, MIMIC_CSV_PATH=str(tmp_path / "nothing here"))
    done = demo(tmp_path, "--json")

    assert broken.returncode == SourceDataError.exit_code
    assert "Traceback" not in broken.stderr
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "demo" / "summary.json").read_text())
    assert json.loads(done.stdout) == summary
    assert sorted(summary) == sorted(condition_ids(schemas))
    for result in summary.values():
        assert set(result) == KEYS
        assert result["found"] == sum(result[name] for name in ("scored", "indeterminate", "excluded", "failed"))
        assert 0 < result["scored"] == result["written"]
        assert "<html" in (tmp_path / "demo" / "runs" / result["run"] / "report.html").read_text()


@pytest.mark.parametrize("command", ["demo", "up"])
def test_a_home_without_dags_is_refused_at_once(tmp_path, command):
    environment = {**os.environ, "WARDROUND_HOME": str(tmp_path), "WARDROUND_VAR": str(tmp_path / "var")}
    arguments = [sys.executable, "-m", "wardround", command]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == SettingsError.exit_code
    assert f"{tmp_path}/dags is not there" in done.stderr
