"""`wardround check` finds out in the daytime what would fail at night."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from wardround.cli.main import wardround
from wardround.errors import SettingsError, SpecError


@pytest.fixture
def home(schemas, tmp_path, monkeypatch):
    """A copy of the project's spec with no model, as WARDROUND_HOME."""
    shutil.copytree(schemas, tmp_path / "include" / "schemas")
    monkeypatch.setenv("WARDROUND_HOME", str(tmp_path))
    monkeypatch.delenv("WARDROUND_STREAM")
    return tmp_path


def test_a_valid_spec_without_models_passes_and_says_what_to_do(home):
    result = CliRunner().invoke(wardround, ["check", "--json"])
    assert result.exit_code == 0
    rows = {row["condition"]: row for row in json.loads(result.stdout)["conditions"]}
    assert rows["sepsis"]["state"] == "no model"
    assert rows["sepsis"]["remedy"] == "wardround train sepsis --mimic DIR"


@pytest.mark.parametrize(
    ("file", "key", "misspelt", "named"),
    [
        ("conditions/sepsis.yaml", "min_age", "minimum_age", "cohort.minimum_age"),
        ("servers/hapi.yaml", "page_size", "pagesize", "hapi.yaml: pagesize"),
    ],
)
def test_a_wrong_spec_or_server_profile_fails(home, file, key, misspelt, named):
    path = home / "include" / "schemas" / file
    path.write_text(path.read_text().replace(key, misspelt))
    result = CliRunner().invoke(wardround, ["check"])
    assert isinstance(result.exception, SpecError)
    assert named in str(result.exception)


@pytest.mark.parametrize("missing", ["include", "include/schemas/conditions", "include/schemas/variables.yaml"])
def test_a_missing_file_fails_and_is_named(home, missing):
    (shutil.rmtree if (home / missing).is_dir() else Path.unlink)(home / missing)
    result = CliRunner().invoke(wardround, ["check"])
    assert isinstance(result.exception, SpecError)
    assert str(home / "include" / "schemas") in str(result.exception)
    assert "WARDROUND_HOME" in str(result.exception)


def test_it_names_what_it_checked(home):
    result = CliRunner().invoke(wardround, ["check"])
    said = result.stdout.replace("\n", "")
    assert f"{home}/include/schemas: " in said
    assert " variables, " in said
    assert " server profiles, 2 conditions; models in " in said


def test_it_shows_when_a_condition_is_screened_and_in_which_time_zone(home):
    file = home / "include" / "schemas" / "conditions" / "sepsis.yaml"
    file.write_text(
        file.read_text().replace('schedule: "0 5 * * *"', 'schedule: "0 6 * * *"\ntime_zone: Europe/Berlin')
    )
    said = CliRunner().invoke(wardround, ["check"]).stdout
    assert "sepsis is screened at 0 6 * * * (Europe/Berlin): fhir_default by screen_icu__sepsis\n" in said
    assert "mortality is screened at 30 5 * * * (UTC): fhir_default by screen_icu__mortality\n" in said
    rows = {
        row["condition"]: row
        for row in json.loads(CliRunner().invoke(wardround, ["check", "--json"]).stdout)["conditions"]
    }
    assert (rows["sepsis"]["schedule"], rows["sepsis"]["time_zone"]) == ("0 6 * * *", "Europe/Berlin")


def test_it_lists_the_sources_of_a_condition_and_the_dag_of_each(home):
    with (home / "include" / "schemas" / "conditions" / "sepsis.yaml").open("a") as file:
        file.write("sources: [north, south.2]\n")
    said = CliRunner().invoke(wardround, ["check"]).stdout
    assert ": north by screen_icu__sepsis, south.2 by screen_icu__sepsis__south.2\n" in said


def test_the_database_is_looked_at_too_and_named_without_its_password(home, monkeypatch, tmp_path):
    monkeypatch.setenv("WARDROUND_DATABASE", f"sqlite:///{tmp_path}/ward.sqlite")
    result = CliRunner().invoke(wardround, ["check", "--json"])
    assert json.loads(result.stdout)["database"] == f"{tmp_path}/ward.sqlite"
    monkeypatch.setenv("WARDROUND_DATABASE", "mysql://ward:s3cret@db/ward")
    refused = CliRunner().invoke(wardround, ["check"])
    assert isinstance(refused.exception, SettingsError)
    assert "s3cret" not in refused.output + str(refused.exception)


def test_the_feeds_of_the_stream_are_checked_where_there_are_any(home):
    assert json.loads(CliRunner().invoke(wardround, ["check", "--json"]).stdout)["feeds"] == []
    feed = (
        "sources: {main: {fhir: a, time_zone: UTC, units: [MICU], patients: [{namespace: H, system: s}],"
        " visits: {namespace: V, system: v}}}"
    )
    file = home / "include" / "stream.yaml"
    file.write_text(feed)
    assert "; feeds of the stream: main" in CliRunner().invoke(wardround, ["check"]).stdout
    condition = next((home / "include" / "schemas" / "conditions").glob("*.yaml"))
    as_it_was = condition.read_text()
    condition.write_text(as_it_was + "stream: {branches: [{id: now, channel: ward}]}\n")
    with pytest.raises(SpecError, match=r"stream\.yaml: has no channel 'ward', which the branch \w+/now names"):
        CliRunner().invoke(wardround, ["check"], catch_exceptions=False)
    file.write_text(feed + "\nchannels: {ward: {flag: {}}}\nkeep: {told: 1h}\n")
    with pytest.raises(SpecError, match=r"keep\.told: got 1h, expected at least the lock_out of \w+, 12h"):
        CliRunner().invoke(wardround, ["check"], catch_exceptions=False)
    condition.write_text(as_it_was)
    file.write_text(feed.replace("units", "unit"))
    with pytest.raises(SpecError, match=r"stream\.yaml: sources\.main\.unit: unknown key"):
        CliRunner().invoke(wardround, ["check"], catch_exceptions=False)
