"""Tests what is made of the value of one prefetch key."""

import json
from typing import Any

import pytest

from wardround.fhir.references import Bases
from wardround.sources.fhir.observation_shape import OBSERVATION
from wardround.sources.prefetch.parts import Part, State, part_of

BASES = Bases("https://ehr.example.org/fhir")
NEXT = [{"relation": "next", "url": "https://ehr.example.org/fhir?page=2"}]
ERROR = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
HINT = {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": "informational"}]}
PATIENT = {"resourceType": "Patient", "id": "p"}


def pulse(key: str = "o1", **content: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": key, "subject": {"reference": "Patient/p"}, **content}


def bundle(*resources: Any, kind: str = "searchset", **content: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": [{"resource": one} for one in resources], **content}


def part(value: Any) -> Part:
    return part_of(value if isinstance(value, bytes) else json.dumps(value).encode(), BASES)


def ids(found: Part) -> list[Any]:
    return [OBSERVATION.about(one)[1] for one in found.observations] + [one.get("id") for one in found.others]


@pytest.mark.parametrize(
    ("value", "state"),
    [
        (None, State.EMPTY),
        ({}, State.EMPTY),
        (b" { \n} ", State.EMPTY),
        ({"resourceType": "Bundle", "type": "searchset", "total": 0}, State.EMPTY),
        (bundle(), State.EMPTY),
        (bundle(HINT), State.EMPTY),
        (PATIENT, State.GIVEN),
        (pulse(), State.GIVEN),
        (bundle(pulse()), State.GIVEN),
        (bundle(pulse(), HINT), State.GIVEN),
        (bundle(pulse(), kind="collection"), State.GIVEN),
        (bundle(pulse(), total=1), State.GIVEN),
        (b"\xef\xbb\xbf" + json.dumps(bundle(pulse())).encode(), State.GIVEN),
        (bundle(pulse(), link=NEXT), State.INCOMPLETE),
        (bundle(link=NEXT), State.INCOMPLETE),
        (bundle(pulse(), total=2), State.INCOMPLETE),
        (bundle(pulse(), ERROR), State.INCOMPLETE),
        (bundle(pulse(), None), State.INCOMPLETE),
        (bundle(pulse(), "text"), State.INCOMPLETE),
        (ERROR, State.REFUSED),
        (HINT, State.REFUSED),
        (bundle(ERROR), State.REFUSED),
        ("<html><body>Bad gateway</body></html>", State.UNREADABLE),
        (17, State.UNREADABLE),
        (True, State.UNREADABLE),
        ([], State.UNREADABLE),
        ([pulse()], State.UNREADABLE),
        ({"heart_rate": 80}, State.UNREADABLE),
        ({"resourceType": 5}, State.UNREADABLE),
        (b"{" + b'"extension":[{' * 100_000, State.UNREADABLE),
        (b'{"resourceType":"Bundle","entry":' + b"[" * 100_000 + b"]" * 100_000 + b"}", State.UNREADABLE),
        (b"\xff\xfe", State.UNREADABLE),
    ],
)
def test_a_key_ends_in_one_state(value, state):
    assert part(value).state is state


def test_all_resources_of_one_bundle_are_read_whatever_their_type():
    encounter = {"resourceType": "Encounter", "id": "e", "period": {"start": "2026-01-01"}}
    found = part(bundle(PATIENT, pulse(), encounter, pulse("o2"), kind="collection"))
    assert ids(found) == ["o1", "o2", "p", "e"]
    assert found.others == [PATIENT, encounter]
    assert found.types == {"Observation", "Patient", "Encounter"}


def test_a_misshapen_observation_loses_no_other():
    found = part(bundle(PATIENT, pulse(code="8867-4"), pulse("o2")))
    assert ids(found) == ["o1", "o2", "p"]


def test_the_bundles_that_answered_a_batch_are_read_and_one_that_failed_is_said():
    answered = bundle(bundle(PATIENT), bundle(pulse()), kind="batch-response")
    assert (ids(part(answered)), part(answered).state) == (["o1", "p"], State.GIVEN)
    for lacking in (ERROR, bundle(ERROR), bundle(pulse("o2"), link=NEXT)):
        assert part(bundle(bundle(PATIENT), lacking, kind="batch-response")).state is State.INCOMPLETE
    assert part(bundle(bundle(bundle(bundle(bundle(PATIENT)))))).state is State.INCOMPLETE


def test_the_references_of_a_transaction_name_its_entries():
    entries = [
        {"fullUrl": "urn:uuid:5d2c9c39-6f6c-4f0b-9a55-0c3c86a1b7d4", "resource": PATIENT},
        {
            "fullUrl": "urn:uuid:5d2c9c39-6f6c-4f0b-9a55-0c3c86a1b7d5",
            "resource": {
                "resourceType": "Observation",
                "subject": {"reference": "urn:uuid:5d2c9c39-6f6c-4f0b-9a55-0c3c86a1b7d4"},
            },
        },
    ]
    for kind in ("transaction", "collection"):
        (one,) = part({"resourceType": "Bundle", "type": kind, "entry": entries}).observations
        assert one.subject.reference == "Patient/p"
        assert one.id == "5d2c9c39-6f6c-4f0b-9a55-0c3c86a1b7d5"


def test_an_entry_that_a_transaction_deletes_is_no_resource():
    gone = {"request": {"method": "DELETE", "url": "Observation/o9"}}
    found = part({"resourceType": "Bundle", "type": "transaction", "entry": [gone, {"resource": pulse()}]})
    assert (ids(found), found.lost) == (["o1"], 0)
