"""Tests that a condition is one YAML file, and that its DAGs appear and disappear with it."""

import shutil
from datetime import UTC, datetime

import pytest

from wardround.settings import PROJECT

OF_NONE = ["prune_runs", "stream_upkeep"]
OF_SEPSIS = ["promote__sepsis", "screen_icu__sepsis", "suspend__sepsis", "train__sepsis"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A copy of the project's spec and DAGs, which a test may change."""
    shutil.copytree(PROJECT / "include" / "schemas", tmp_path / "include" / "schemas")
    shutil.copytree(PROJECT / "dags", tmp_path / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv("WARDROUND_HOME", str(tmp_path))
    return tmp_path


def parsed(home):
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(home / "dags")


def conditions(home):
    return home / "include" / "schemas" / "conditions"


def test_removing_a_condition_removes_its_dags_and_breaks_nothing(home, airflow_database):
    (conditions(home) / "mortality.yaml").unlink()

    bag = parsed(home)

    assert bag.import_errors == {}
    assert sorted(bag.dags) == sorted([*OF_SEPSIS, *OF_NONE])


def test_a_new_condition_file_appears_as_dags(home, airflow_database):
    text = (conditions(home) / "mortality.yaml").read_text()
    (conditions(home) / "decline.yaml").write_text(text.replace("id: mortality", "id: decline"))

    bag = parsed(home)

    assert bag.import_errors == {}
    assert {
        "promote__decline",
        "screen_icu__decline",
        "suspend__decline",
        "train__decline",
        "screen_icu__mortality",
    } <= set(bag.dags)


def test_an_invalid_condition_is_shown_as_an_import_error_and_does_not_stop_the_others(home, airflow_database):
    with (conditions(home) / "mortality.yaml").open("a") as file:
        file.write("\nlook_bakc: 24h\n")

    bag = parsed(home)

    assert sorted(bag.dags) == sorted([*OF_SEPSIS, *OF_NONE])
    assert list(bag.import_errors) == [str(home / "dags" / "spec_errors.py")]
    assert "unknown key" in bag.import_errors[str(home / "dags" / "spec_errors.py")]


def test_missed_runs_are_caught_up_from_the_day_that_the_condition_names(home, airflow_database):
    text = (conditions(home) / "mortality.yaml").read_text()
    (conditions(home) / "mortality.yaml").write_text(f"{text}\ncatch_up_from: 2026-11-01\n")

    dags = parsed(home).dags

    caught_up, skipped = dags["screen_icu__mortality"], dags["screen_icu__sepsis"]
    assert (caught_up.catchup, caught_up.start_date) == (True, datetime(2026, 11, 1, tzinfo=UTC))
    assert (skipped.catchup, skipped.start_date) == (False, None)


def test_a_model_is_retrained_on_schedule_only_if_its_condition_names_one(home, airflow_database):
    text = (conditions(home) / "mortality.yaml").read_text()
    (conditions(home) / "mortality.yaml").write_text(f"{text}\nretraining: 0 3 1 * *\n")

    dags = parsed(home).dags

    again, by_hand = dags["train__mortality"].timetable, dags["train__sepsis"].timetable
    assert (again.timetable.expression, str(again.timetable.timezone)) == ("0 3 1 * *", "UTC")
    assert not hasattr(by_hand, "timetable")


def test_a_home_without_conditions_is_an_import_error_instead_of_an_empty_list(home, airflow_database):
    shutil.rmtree(home / "include")

    bag = parsed(home)

    assert sorted(bag.dags) == OF_NONE
    others = [str(path) for path in (home / "dags").glob("*.py") if path.stem not in OF_NONE]
    assert sorted(bag.import_errors) == sorted(others)
    assert all("conditions: does not exist" in error for error in bag.import_errors.values())
