"""Tests how far a prefetch covers what is asked for, whatever form the client chose."""

from typing import Any

import msgspec
import pytest

from wardround.fhir.references import Bases
from wardround.sources.prefetch.parts import State
from wardround.sources.prefetch.prefetch import ENCOUNTER, OBSERVATION, PATIENT, Coverage, Prefetched, Template

VARIABLES = ("heart_rate", "lactate")
PULSE = {"resourceType": "Observation", "id": "o"}
STAY = {"resourceType": "Encounter", "id": "e"}
ERROR = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}


def bundle(*resources: Any, **content: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources], **content}


def read(**values: Any) -> Prefetched:
    return Prefetched.of({key: msgspec.Raw(msgspec.json.encode(one)) for key, one in values.items()}, Bases())


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("Patient/{{context.patientId}}", Template("Patient", True)),
        ("Observation?patient={{context.patientId}}&code=http://loinc.org|8867-4", Template("Observation", False)),
        ("Encounter/{{context.encounterId}}", Template("Encounter", True)),
        ("{{nothing}}", Template("", True)),
    ],
)
def test_a_template_asks_for_a_type_and_for_one_or_all(text, template):
    assert Template.of(text) == template


@pytest.mark.parametrize(
    ("values", "coverage"),
    [
        ({"vitals": bundle(PULSE), "labs": None}, Coverage()),
        ({"vitals": PULSE, "labs": {}}, Coverage()),
        ({"vitals": bundle(PULSE)}, Coverage(missing=("labs",))),
        ({"labs": 5}, Coverage(missing=("vitals", "labs"))),
        ({"vitals": STAY, "labs": None}, Coverage(missing=("vitals",))),
        ({"vitals": ERROR, "labs": bundle(PULSE, total=2)}, Coverage(refused=("vitals",), incomplete=("labs",))),
        # Under keys of the client's own.
        ({}, Coverage(missing=("vitals", "labs"))),
        ({"patient": {"resourceType": "Patient"}}, Coverage(missing=("vitals", "labs"))),
        ({"anything": 5, "more": ERROR}, Coverage(missing=("vitals", "labs"))),
        ({"all": bundle(PULSE, STAY)}, Coverage()),
        ({"all": bundle(PULSE, STAY, total=9)}, Coverage(incomplete=("all",))),
        ({"pulse": bundle(PULSE)}, Coverage(unsent=("heart_rate", "lactate"))),
        ({"heart_rate": bundle(PULSE)}, Coverage(unsent=("lactate",))),
        ({"heart_rate": bundle(PULSE), "lactate": None}, Coverage()),
        ({"heart_rate": None, "lactate": None}, Coverage()),
        ({"heart_rate": "<html>", "lactate": None}, Coverage(unsent=("heart_rate",))),
        ({"heart_rate": ERROR, "lactate": None}, Coverage(refused=("heart_rate",))),
        ({"heart_rate": bundle(PULSE, total=2), "lactate": None}, Coverage(incomplete=("heart_rate",))),
    ],
)
def test_observations_are_covered_by_our_keys_or_by_the_clients(values, coverage):
    assert read(**values).coverage(OBSERVATION, ("vitals", "labs"), VARIABLES) == coverage


def test_a_type_without_a_template_is_missing_under_its_own_name():
    assert read().coverage(PATIENT, ()) == Coverage(missing=("patient",))
    assert read(x=STAY).coverage(ENCOUNTER, ()) == Coverage()


def test_a_key_that_is_null_is_empty_and_one_that_was_not_sent_is_absent():
    assert read(a=None).state_of("a", PATIENT) is State.EMPTY
    assert read().state_of("a", PATIENT) is State.ABSENT


def test_a_prefetch_that_is_a_bundle_is_one():
    found = read(**bundle(PULSE, STAY))
    assert (len(list(found.observations)), list(found.resources(ENCOUNTER))) == (1, [STAY])
