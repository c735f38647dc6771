"""Which DAG screens which source, and that no two runs of one time are taken for each other."""

import pytest

from wardround.airflow.sources import of_dag, run_key, screening_dags


def test_a_condition_without_sources_is_screened_from_the_usual_connection_by_its_own_dag():
    assert screening_dags("sepsis", ()) == {"fhir_default": "screen_icu__sepsis"}


def test_the_first_source_has_the_conditions_own_dag_and_each_further_one_another():
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
def test_a_dags_id_says_its_condition_and_its_source(dag_id, of):
    assert of_dag(dag_id) == of


def test_dag_runs_of_one_time_have_runs_of_their_own():
    dags = screening_dags("sepsis", ("north", "south", "west")).values()
    assert len({run_key(dag_id, "scheduled__2026-01-02T05:00:00+00:00") for dag_id in dags}) == 3
    # As before there were further sources: a run that is cleared opens the same folder again.
    assert run_key("screen_icu__sepsis", "manual__1") == "manual__1"
