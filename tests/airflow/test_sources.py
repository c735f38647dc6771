"""Tests which DAG screens which source, and that two runs for the same time are never confused."""

import pytest

from wardround.airflow.sources import of_dag, run_key, screening_dags


def test_a_condition_without_sources_is_screened_from_the_default_connection_by_its_own_dag():
    assert screening_dags("sepsis", ()) == {"fhir_default": "screen_icu__sepsis"}


def test_the_first_source_has_the_conditions_own_dag_and_each_further_one_has_another():
    assert screening_dags("sepsis", ("north", "south")) == {
        "north": "screen_icu__sepsis",
        "south": "screen_icu__sepsis__south",
    }


@pytest.mark.parametrize(
    ("dag_id", "of"),
    [
        ("screen_icu__sepsis", ("sepsis", None)),
        ("screen_icu__late_sepsis__south", ("late_sepsis", "south")),
        ("screen_icu__sepsis__south__icu", ("sepsis", "south__icu")),
        ("train__sepsis", ("sepsis", None)),
        ("somebody_elses", ("", None)),
    ],
)
def test_condition_and_source_are_parsed_from_a_dag_id(dag_id, of):
    assert of_dag(dag_id) == of


def test_dag_runs_for_the_same_time_have_separate_runs():
    dags = screening_dags("sepsis", ("north", "south", "west")).values()
    assert len({run_key(dag_id, "scheduled__2026-01-02T05:00:00+00:00") for dag_id in dags}) == 3
    # As before further sources were supported: a cleared run opens the same folder again.
    assert run_key("screen_icu__sepsis", "manual__1") == "manual__1"
