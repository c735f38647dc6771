"""Settings from the environment."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from wardround.errors import SettingsError
from wardround.settings import places_in_environment, settings_from


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("WARDROUND_PROBABILITY", "per mille", "fraction or percent"),
        ("WARDROUND_FHIR_PAGE_SIZE", "many", "a whole number above 0"),
        ("WARDROUND_FHIR_RETRIES", "0", "a whole number above 0"),
        ("WARDROUND_FHIR_PAGE_SIZE", "20000", "at most 10,000"),
        ("WARDROUND_FHIR_TIMEOUT", "60s", "a number of at least 1"),
        ("WARDROUND_FHIR_TIMEOUT", "7200", "at most 3,600"),
        ("WARDROUND_MEMORY", "lots", "a size such as 512MB or 4GB"),
        ("WARDROUND_SCREENING_TASK", "soon", "a time such as 90m, 2h or 1d"),
        ("WARDROUND_TRAINING_TASK", "0h", "a time such as 90m, 2h or 1d"),
        ("WARDROUND_RUNS_KEPT", "0d", "a time such as 90m, 2h or 1d"),
        ("WARDROUND_BEDSIDE_SECONDS", "3s", "a number of seconds, at most 30"),
        ("WARDROUND_BEDSIDE_SECONDS", "0", "a number of seconds, at most 30"),
        ("WARDROUND_BEDSIDE_SECONDS", "nan", "a number of seconds, at most 30"),
        ("WARDROUND_BEDSIDE_SECONDS", "31", "a number of seconds, at most 30"),
    ],
)
def test_a_value_that_means_nothing_is_named_with_what_is_expected(name: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: is '{value}', expected {expected}; correct it"):
        settings_from({name: value})


@pytest.mark.parametrize(("said", "kept"), [({}, None), ({"": ""}, None), ({"": "365d"}, timedelta(days=365))])
def test_without_a_time_runs_are_kept_for_ever(said: dict[str, str], kept: timedelta | None) -> None:
    """A line of .env without a value gives an empty variable."""
    assert settings_from({f"WARDROUND_RUNS_KEPT{name}": value for name, value in said.items()}).runs_kept == kept


def test_the_command_line_says_so_without_a_traceback(tmp_path: Path) -> None:
    environment = {**os.environ, "WARDROUND_PROBABILITY": "odds", "WARDROUND_VAR": str(tmp_path)}
    command = [sys.executable, "-m", "wardround", "model", "list"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == SettingsError.exit_code
    assert done.stderr == "wardround: WARDROUND_PROBABILITY: is 'odds', expected fraction or percent; correct it\n"


@pytest.mark.parametrize("url", ["s3://bucket/models", "gs://bucket", "file:///models"])
def test_a_model_store_at_a_url_is_kept_as_it_is_and_not_taken_for_a_folder_of_that_name(url: str) -> None:
    settings = settings_from({"WARDROUND_MODELS": url})
    assert settings.models == url
    assert places_in_environment(settings)["WARDROUND_MODELS"] == url


def test_a_model_store_at_a_path_is_a_folder_whatever_the_working_directory_becomes() -> None:
    assert settings_from({"WARDROUND_MODELS": "models"}).models == Path("models").absolute()
