"""Observations that come together are noted at once, and those that came before are told apart from new ones."""

from wardround.core.reading_rule import reading_rule
from wardround.fhir.references import Bases
from wardround.settings import PROJECT
from wardround.sources.fhir.observation_shape import OBSERVATION
from wardround.sources.fhir.observations import Collected
from wardround.spec.loading import load_variables
from wardround.spec.source_maps import NO_TRANSLATION


def observed(key: str, value: float, updated: str | None = None):
    meta = {"meta": {"lastUpdated": updated}} if updated else {}
    return OBSERVATION.of(
        {
            "resourceType": "Observation",
            "id": key,
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            "subject": {"reference": "Patient/a"},
            "effectiveDateTime": "2026-03-10T12:00:00Z",
            "valueQuantity": {"value": value, "code": "/min"},
            **meta,
        }
    )


def values_of(*batches):
    found = Collected(reading_rule(load_variables(PROJECT / "include" / "schemas")), Bases())
    for batch in batches:
        found.add_new(batch)
    return found.readings(NO_TRANSLATION, ["a"]).value.tolist()


def test_all_new_ones_count():
    assert values_of([observed("1", 80), observed("2", 81)], [observed("3", 82)]) == [80, 81, 82]


def test_one_that_came_before_counts_once_and_the_new_one_beside_it_counts():
    assert values_of([observed("1", 80)], [observed("1", 80), observed("2", 81)]) == [80, 81]


def test_a_later_version_replaces_an_earlier_one_within_a_batch_and_across_batches():
    first, second = observed("1", 80, "2026-03-10T12:01:00Z"), observed("1", 90, "2026-03-10T12:02:00Z")
    assert values_of([first, second]) == values_of([first], [second]) == [90]
