"""How results at another server name patients and stays of their source."""

from typing import Any

import pytest

from wardround.results.referring import identifiers_of, leads_to, literal, logical

URL = "https://hospital.example.org/fhir/"
TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"


def number(value: str, kind: str = "", **more: Any) -> dict[str, Any]:
    typed = {"type": {"coding": [{"system": TYPES, "code": kind}]}} if kind else {}
    return {"system": "urn:numbers", "value": value, **typed, **more}


def values(*identifiers: Any) -> list[str]:
    return [identifier.value for identifier in identifiers_of({"identifier": list(identifiers)})]


def test_the_records_own_number_comes_first_then_the_official_one_whatever_the_order() -> None:
    given = [
        number("temp", use="temp"),
        number("plain"),
        number("usual", use="usual"),
        number("other", use="secondary"),
    ]
    given += [number("official", use="official"), number("record", "MR", use="secondary")]
    assert values(*given) == values(*reversed(given)) == ["record", "official", "usual", "plain", "other", "temp"]


@pytest.mark.parametrize(
    "identifier",
    [
        number("n", use="old"),
        number("n", period={"start": "2020", "end": "2021"}),
        number("n", period="2020"),
        number("n", "SS"),
        number("n", "DL", use="official"),
        number("n", use=["official"]),
        number("n", use="mine"),
        number(" "),
        {"value": "n"},
        {"system": "urn:numbers"},
        {"system": "urn:numbers", "value": 7},
        "n",
        None,
    ],
)
def test_what_may_be_anothers_is_the_states_or_is_no_identifier_names_nobody(identifier: object) -> None:
    assert values(identifier) == []
    assert values(identifier, number("good")) == ["good"]


@pytest.mark.parametrize("listed", [None, "n", {}, 7])
def test_without_a_usable_number_the_address_at_the_source_is_one(listed: object) -> None:
    for resource in ({"identifier": listed}, None):
        assert logical("Patient/p1", URL, resource) == {
            "type": "Patient",
            "identifier": {"system": "https://hospital.example.org/fhir/Patient", "value": "p1"},
        }


def test_a_reference_leads_to_what_it_names_whatever_else_it_says() -> None:
    here, named = literal("Patient/p1"), logical("Patient/p1", URL, {"identifier": [number("7")]})
    assert leads_to({**here, "display": "x"}, here)
    assert leads_to({**named, "identifier": {**named["identifier"], "use": "official"}}, named)
    for other in (
        None,
        "Patient/p1",
        {},
        {"reference": "Patient/p2"},
        {"identifier": "7"},
        {"identifier": {"value": "7"}},
    ):
        assert not leads_to(other, here)
        assert not leads_to(other, named)
