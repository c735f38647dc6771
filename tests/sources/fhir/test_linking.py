"""Tests, over real HTTP, which Patient and Encounter a visit's numbers lead to, and when none is chosen."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from wardround.core.identifier import Identifier
from wardround.demo.fhir_server.running import running_server
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.sources.fhir.linking import (
    PATIENT_UNKNOWN,
    VISIT_OF_ANOTHER,
    Ambiguous,
    Announced,
    Linked,
    NotYet,
    link,
    link_all,
)

MRN, VISIT = "urn:oid:1.2.3", "urn:oid:1.2.4"


def number(value: str) -> Identifier:
    return Identifier(MRN, value)


def visit(value: str) -> Identifier:
    return Identifier(VISIT, value)


def patient(key: str, *values: str, system: str = MRN, **content: Any) -> dict[str, Any]:
    identifiers = [{"system": system, "value": value} for value in values]
    return {"resourceType": "Patient", "id": key, "identifier": identifiers, **content}


def encounter(key: str, who: str, value: str, start: str = "2026-01-01T08:00:00Z", **content: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": key,
        "status": "in-progress",
        "class": {"code": "IMP"},
        "identifier": [{"system": VISIT, "value": value}],
        "subject": {"reference": f"Patient/{who}"},
        "period": {"start": start},
        **content,
    }


def linked(kind: str, other: str) -> list[dict[str, Any]]:
    return [{"type": kind, "other": {"reference": f"Patient/{other}"}}]


Put = Callable[..., FhirClient]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_server() as running:
        yield running.base_url


@pytest.fixture
def put(url: str) -> Iterator[Put]:
    """put(*resources) is a client of a server that holds these resources and no others."""
    with FhirClient(FhirEndpoint(url, patients_per_search=2)) as client:

        def put(*resources: dict[str, Any]) -> FhirClient:
            there = [f"{kind}/{one['id']}" for kind in ("Encounter", "Patient") for one in client.search(kind, {})]
            client.batch([{"request": {"method": "DELETE", "url": one}} for one in there])
            puts = [("PUT", f"{one['resourceType']}/{one['id']}", one) for one in resources]
            client.batch([{"request": {"method": how, "url": to}, "resource": one} for how, to, one in puts])
            return client

        yield put


def test_a_visit_leads_to_its_patient_and_its_encounter(put: Put) -> None:
    client = put(patient("a", "1"), patient("b", "2"), encounter("e", "a", "100"), encounter("f", "b", "200"))

    assert link(client, [number("1")], visit("100")) == Linked("a", "e")
    assert link(client, [number("2")], visit("200")) == Linked("b", "f")


def test_a_visit_of_which_the_server_has_no_number_leads_to_the_patient_alone(put: Put) -> None:
    client = put(patient("a", "1"), encounter("e", "a", "other"))

    assert link(client, [number("1")], visit("100")) == Linked("a", "")


def test_a_patient_whom_the_server_does_not_know_is_waited_for(put: Put) -> None:
    client = put(patient("a", "1"), patient("b", "9", system="urn:other"))

    assert link(client, [number("9")], visit("100")) == NotYet(PATIENT_UNKNOWN)


def test_of_two_patients_with_one_number_none_is_chosen(put: Put) -> None:
    client = put(patient("a", "1"), patient("b", "1"), encounter("e", "a", "100"))

    assert link(client, [number("1")], visit("100")) == Ambiguous()
    assert link(client, [number("1"), number("1")], visit("100")) == Ambiguous()


def test_two_numbers_of_one_patient_are_one_patient_and_of_two_are_ambiguous(put: Put) -> None:
    client = put(patient("a", "1", "2"), patient("b", "3"))

    assert link(client, [number("1"), number("2")], visit("100")) == Linked("a", "")
    assert link(client, [number("1"), number("3")], visit("100")) == Ambiguous()


@pytest.mark.parametrize("said_by", ["old", "new", "both"])
def test_a_patient_who_was_merged_leads_to_the_one_who_stays(put: Put, said_by: str) -> None:
    old = {"link": linked("replaced-by", "b")} if said_by != "new" else {}
    new = {"link": linked("replaces", "a")} if said_by != "old" else {}
    client = put(
        patient("b", "1" if said_by == "new" else "2", **new), patient("a", "1", **old), encounter("e", "b", "100")
    )

    assert link(client, [number("1")], visit("100")) == Linked("b", "e")


def test_a_chain_of_merges_is_followed_and_a_circle_ends(put: Put) -> None:
    chain = [patient(key, key, link=linked("replaced-by", after)) for key, after in ("ab", "bc", "cd")]
    client = put(*chain, patient("d", "d"), encounter("e", "a", "100"))
    assert link(client, [number("a")], visit("100")) == Linked("d", "e")

    circle = [patient(key, key, link=linked("replaced-by", after)) for key, after in ("ab", "ba")]
    assert link(put(*circle), [number("a")], visit("100")) == NotYet(PATIENT_UNKNOWN)


def test_a_record_that_only_refers_to_another_is_not_left_for_it(put: Put) -> None:
    client = put(patient("a", "1", link=linked("seealso", "b")), patient("b", "2"))

    assert link(client, [number("1")], visit("100")) == Linked("a", "")


def test_a_record_out_of_use_does_not_compete(put: Put) -> None:
    client = put(patient("a", "1", active=False), patient("b", "1"), patient("c", "3", active=False))

    assert link(client, [number("1")], visit("100")) == Linked("b", "")
    assert link(client, [number("3")], visit("100")) == Linked("c", "")


def test_the_visit_of_another_patient_is_never_taken(put: Put) -> None:
    client = put(patient("a", "1"), patient("b", "2"), encounter("f", "b", "100"))

    assert link(client, [number("1")], visit("100")) == NotYet(VISIT_OF_ANOTHER)


def test_a_number_that_was_given_again_means_the_later_visit(put: Put) -> None:
    others = encounter("f", "b", "100", start="2024-01-01T08:00:00Z")
    earlier = encounter("d", "a", "100", start="2025-01-01T08:00:00+01:00", status="finished")
    cancelled = encounter("g", "a", "100", start="2026-01-02T08:00:00Z", status="cancelled")
    client = put(patient("a", "1"), patient("b", "2"), others, earlier, cancelled, encounter("e", "a", "100"))

    assert link(client, [number("1")], visit("100")) == Linked("a", "e")


def test_many_visits_are_linked_together_with_few_searches_each_to_its_own(put: Put) -> None:
    people = [patient(f"p{one}", str(one)) for one in range(5)]
    visits = [encounter(f"e{one}", f"p{one}", f"v{one}") for one in range(5)]
    client = put(*people, *visits)
    announced = [Announced((number(str(one)),), visit(f"v{one}")) for one in (3, 1, 7, 0, 2)]
    before = client.requests_made

    found = link_all(client, announced)

    assert found == [Linked(f"p{one}", f"e{one}") if one < 5 else NotYet(PATIENT_UNKNOWN) for one in (3, 1, 7, 0, 2)]
    assert client.requests_made - before == 6


def test_a_server_that_finds_encounters_by_patient_only_is_not_asked_by_number(put: Put) -> None:
    client = put(patient("a", "1"), encounter("e", "a", "100"))
    narrow = replace(client.source, profile=client.source.profile.model_copy(update={"encounter_needs_patient": True}))

    with FhirClient(narrow) as asking:
        assert link(asking, [number("1")], visit("100")) == Linked("a", "")
        assert asking.requests_made == 1
