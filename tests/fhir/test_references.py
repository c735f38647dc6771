"""Tests which server's resource a reference means."""

from typing import Any

import pytest

from wardround.fhir.references import Bases, contradicts, id_in, is_foreign, is_id, locations_of


def bases() -> Bases:
    return Bases("https://example.org/fhir", "http://inside:8080/r4/")


@pytest.mark.parametrize(
    "text",
    [
        "Patient/1",
        "Patient/1/_history/2",
        "https://example.org/fhir/Patient/1",
        "https://example.org/fhir/Patient/1/_history/2",
        "HTTPS://Example.ORG/fhir/Patient/1",
        "https://example.org:443/fhir/Patient/1",
        "http://inside:8080/r4//Patient/1",
        "https://example.org/fhir//Patient/1",
        "http://inside:8080/r4/Patient/1",
    ],
)
def test_a_reference_is_ours_if_it_is_relative_or_under_a_base_url(text: str) -> None:
    assert bases().relative(text) == "Patient/1"
    assert id_in(bases().localised({"reference": text}), "Patient") == "1"


@pytest.mark.parametrize(
    "text",
    [
        "https://elsewhere.org/fhir/Patient/1",
        "http://example.org/fhir/Patient/1",
        "https://example.org:8443/fhir/Patient/1",
        "https://example.org/FHIR/Patient/1",
        "https://example.org/fhirX/Patient/1",
        "http://inside/r4/Patient/1",
        "http://inside:80/r4/Patient/1",
        "https://example.org/fhir/tenant/Patient/1",
        "https://example.org/Patient/1",
        "https://user@example.org/fhir/Patient/1",
        "https://example.org/fhir?x=/Patient/1",
        "https://example.org/fhir#/Patient/1",
        "https://elsewhere.org/?x=https://example.org/fhir/Patient/1",
        "https://[example.org/fhir/Patient/1",
        "https://example.org:port/fhir/Patient/1",
        "ftp://example.org/fhir/Patient/1",
        "urn:uuid:5f0e9a77-3b2f-5d6e-8a80-000000000001",
    ],
)
def test_a_reference_to_elsewhere_is_foreign_whatever_its_id(text: str) -> None:
    assert bases().relative(text) == text
    assert id_in({"reference": text}, "Patient") == ""
    assert is_foreign({"reference": text})


@pytest.mark.parametrize(
    "text",
    [
        "#p", "Patient", "Patient/", "/Patient/1", "../fhir/Patient/1", "//example.org/fhir/Patient/1",
        "Patient?identifier=x|1", "Patient/1?x=y", "Patient/1/", "Patient/1#p", "Patient/a b", "Patient/é",
        " Patient/1", "Patient/1\n", "Group/1", "patient/1", f"Patient/{'1' * 65}", "", 1, None, ["Patient/1"],
        {"id": "1"}, True,
    ],
)  # fmt: skip
def test_only_a_literal_reference_to_the_type_names_a_patient(text: object) -> None:
    assert id_in(bases().localised({"reference": text}), "Patient") == ""
    assert not is_foreign({"reference": text})


def test_only_references_are_made_relative_wherever_they_are() -> None:
    foreign, ours = "https://elsewhere.org/Patient/1", "https://example.org/fhir/Patient/1"
    given = {
        "text": ours,
        "list": [{"reference": ours}, {"reference": foreign}, [ours]],
        "reference": {"reference": ours},
    }
    assert bases().localised(given) == {
        "text": ours,
        "list": [{"reference": "Patient/1"}, {"reference": foreign}, [ours]],
        "reference": {"reference": "Patient/1"},
    }


def test_a_folder_without_a_server_knows_relative_references_alone() -> None:
    assert Bases().relative("https://example.org/fhir/Patient/1") != "Patient/1"
    assert Bases().relative("Patient/1") == "Patient/1"


@pytest.mark.parametrize(
    "url", ["", "example.org/fhir", "ftp://example.org", "https://", "https://a@h/fhir", "http://h?x"]
)
def test_a_base_must_be_a_web_address(url: str) -> None:
    with pytest.raises(ValueError, match=r"base URL|does not appear"):
        Bases(url)


@pytest.mark.parametrize("value", ["1", "a-B.9", "0" * 64])
def test_an_id_of_r4_is_an_id(value: str) -> None:
    assert is_id(value)


@pytest.mark.parametrize("value", ["", "a/b", "a b", "a_b", "é", "1\n", "0" * 65, 1, 1.0, True, None, ["1"], {"1": 1}])
def test_anything_else_is_no_id(value: object) -> None:
    assert not is_id(value)


def test_a_text_or_nothing_in_place_of_a_reference_is_no_error() -> None:
    assert is_foreign("urn:uuid:5f0e9a77-3b2f-5d6e-8a80-000000000001")
    assert not is_foreign("Patient/1")
    assert not any(is_foreign(odd) or contradicts(odd, "Patient") for odd in (None, 5, [], "Patient/1"))


def test_a_type_that_the_reference_does_not_name_contradicts_it() -> None:
    reference = {"reference": "Patient/1"}
    assert not contradicts(reference, "Patient")
    assert not contradicts({**reference, "type": "Patient"}, "Patient")
    assert not contradicts({**reference, "type": "http://hl7.org/fhir/StructureDefinition/Patient"}, "Patient")
    assert contradicts({**reference, "type": "Group"}, "Patient")
    assert contradicts({**reference, "type": 7}, "Patient")


def test_the_locations_of_an_encounter_keep_their_places() -> None:
    elsewhere = {"location": {"reference": "https://elsewhere.org/Location/icu"}}
    parts = [elsewhere, {"location": {"reference": "Location/icu"}}, {}, None]
    assert locations_of({"location": parts}) == ["", "icu", "", ""]


def test_what_is_nested_too_deeply_is_left_as_it_is() -> None:
    node: Any = {"reference": "https://example.org/fhir/Patient/a"}
    for _ in range(900):
        node = [node]
    assert Bases("https://example.org/fhir").localised({"subject": node})["subject"] is node


def test_the_references_of_a_list_become_relative_one_by_one() -> None:
    texts = ["Observation/1", "https://example.org/fhir/Observation/2", "Observation/3/_history/4", "urn:uuid:5", "#6"]
    given = [*({"reference": text} for text in texts), {"reference": ["a"]}, {}, {"reference": texts[1], "type": "x"}]
    found = Bases("https://example.org/fhir").localised({"basis": given})["basis"]
    expected = ["Observation/1", "Observation/2", "Observation/3", "urn:uuid:5", "#6"]
    assert [one["reference"] for one in found[:5]] == expected
    assert found[5:] == [{"reference": ["a"]}, {}, {"reference": "Observation/2", "type": "x"}]
