"""Tests what is read from a Patient about age, death and other records of the same person."""

from datetime import UTC, datetime
from typing import Any

import pytest

from wardround.core.microseconds import micros
from wardround.sources.fhir.people import person_of, successors

AS_OF = micros(datetime(2026, 3, 10, 5, tzinfo=UTC))


def barred(**patient: Any) -> str:
    return person_of(patient, AS_OF).barred


def link(kind: str, reference: str) -> dict[str, Any]:
    return {"type": kind, "other": {"reference": reference}}


@pytest.mark.parametrize(
    ("birth_date", "first", "last"),
    [
        ("1960-05-05", (1960, 5, 5), (1960, 5, 5)),
        ("1960-02", (1960, 2, 1), (1960, 2, 29)),
        ("1960", (1960, 1, 1), (1960, 12, 31)),
        ("0001", (1, 1, 1), (1, 12, 31)),
    ],
)
def test_a_birth_date_is_every_day_that_it_may_mean(birth_date, first, last) -> None:
    person = person_of({"birthDate": birth_date}, AS_OF)
    assert [day and day.timetuple()[:3] for day in (person.born_from, person.born_by)] == [first, last]


@pytest.mark.parametrize(
    "birth_date",
    [None, "", "unknown", "1950-02-30", "1950-13", "0000", 1950, ["1950"], {"year": 1950}, "1950-02-03T04"],
)
def test_what_is_no_date_is_no_birth_date(birth_date: object) -> None:
    person = person_of({"birthDate": birth_date}, AS_OF)
    assert (person.born_from, person.born_by, person.barred) == (None, None, "")


@pytest.mark.parametrize("sex", [None, 1, ["male"], {"code": "male"}])
def test_a_sex_that_is_no_code_is_unknown(sex: object) -> None:
    assert person_of({"gender": sex}, AS_OF).sex is None


@pytest.mark.parametrize(
    "death",
    [
        {"deceasedDateTime": "2026-03-10T02:30:00Z"},
        {"deceasedDateTime": "2026-03-10T05:00:00Z"},
        {"deceasedDateTime": "2026-03-10T10:29:00+05:30"},
        {"deceasedDateTime": "2026-03-09"},
        {"deceasedDateTime": "2026-03-10"},
        {"deceasedDateTime": "2026-03"},
        {"deceasedDateTime": "2026"},
        {"deceasedDateTime": "2026-03-10T08:00:00"},
        {"deceasedBoolean": True},
        {"deceasedBoolean": False, "deceasedDateTime": "2026-03-10T02:30:00Z"},
        {"_deceasedDateTime": {"extension": [{"url": "urn:absent", "valueCode": "masked"}]}},
    ],
)
def test_a_patient_who_may_have_died_by_then_is_not_scored(death: dict[str, Any]) -> None:
    assert barred(**death) == "deceased"


@pytest.mark.parametrize(
    "death",
    [
        {},
        {"deceasedBoolean": False},
        {"deceasedBoolean": None},
        {"deceasedDateTime": None},
        {"deceasedDateTime": "2026-03-10T05:00:01Z"},
        {"deceasedDateTime": "2026-03-12"},
        {"deceasedDateTime": "2026-04"},
        {"deceasedBoolean": True, "deceasedDateTime": "2026-03-11T08:00:00Z"},
    ],
)
def test_a_patient_who_died_later_or_lives_is_scored(death: dict[str, Any]) -> None:
    assert barred(**death) == ""


@pytest.mark.parametrize(
    "patient",
    [
        {"deceasedBoolean": "true"},
        {"deceasedBoolean": 0},
        {"deceasedDateTime": "yesterday"},
        {"deceasedDateTime": ""},
        {"deceasedDateTime": 1773109800},
        {"active": "false"},
        {"link": {"type": "replaced-by"}},
        {"link": ["replaced-by"]},
        {"link": [{"type": "replaced_by", "other": {"reference": "Patient/b"}}]},
        {"link": [{"other": {"reference": "Patient/b"}}]},
    ],
)
def test_what_cannot_be_read_is_not_taken_for_nothing(patient: dict[str, Any]) -> None:
    assert barred(**patient) == "malformed_patient"


@pytest.mark.parametrize(
    ("patient", "reason"),
    [
        ({"link": [link("replaced-by", "Patient/b")]}, "merged_patient"),
        ({"active": False, "link": [link("replaced-by", "Patient/b")]}, "merged_patient"),
        ({"link": [link("replaced-by", "https://elsewhere.org/fhir/Patient/b")]}, "merged_patient"),
        ({"link": [{"type": "replaced-by"}]}, "merged_patient"),
        ({"link": [link("seealso", "Patient/c"), link("replaced-by", "Patient/b")]}, "merged_patient"),
        ({"active": False}, "inactive_patient"),
        ({"active": False, "link": [link("replaces", "Patient/b")]}, "inactive_patient"),
        ({"active": True, "link": [link("replaces", "Patient/b")]}, ""),
        ({"active": None, "link": None}, ""),
        ({"link": [link("refer", "Patient/b"), link("seealso", "RelatedPerson/c")]}, ""),
        ({"modifierExtension": [{"url": "urn:not-a-patient"}]}, "modifier_extension"),
        ({"implicitRules": "urn:rules"}, "modifier_extension"),
        ({"link": [{**link("seealso", "Patient/b"), "modifierExtension": [{"url": "urn:not"}]}]}, "modifier_extension"),
        ({"modifierExtension": [], "implicitRules": None}, ""),
    ],
)
def test_a_record_that_is_not_to_be_used_is_named(patient: dict[str, Any], reason: str) -> None:
    assert barred(**patient) == reason


def test_a_patient_without_a_record_is_unknown() -> None:
    assert person_of(None, AS_OF).barred == "unknown_patient"


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ({"a": [("replaces", "b")]}, {"b": {"a"}}),
        ({"b": [("refer", "a")]}, {"b": {"a"}}),
        ({"a": [("refer", "b")]}, {"a": {"b"}}),
        ({"a": [("seealso", "b")]}, {"b": {"a"}}),
        ({"a": [("seealso", "b")], "b": [("seealso", "a")]}, {"b": {"a"}}),
        ({"a": [("refer", "b")], "b": [("refer", "a")]}, {"b": {"a"}}),
        ({"a": [("replaces", "b")], "b": [("replaces", "a")]}, {"b": {"a"}}),
        ({"a": [("seealso", "a"), ("replaces", "a")]}, {}),
    ],
)
def test_of_two_records_of_one_person_one_goes_before_the_other(links, expected) -> None:
    patients = {key: {"link": [link(kind, f"Patient/{other}") for kind, other in some]} for key, some in links.items()}
    assert {older: newer for older, newer in successors(patients).items() if newer} == expected
