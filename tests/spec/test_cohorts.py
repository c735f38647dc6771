"""How a cohort is given: as a short text, or in a condition file."""

import pytest
from pydantic import ValidationError

from wardround.spec.cohorts import CohortSource, cohort_of


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("search", CohortSource()),
        ("locations", CohortSource(kind="locations")),
        ("locations:MICU,Surgical ICU", CohortSource(kind="locations", locations=("MICU", "Surgical ICU"))),
        ("group:ward-7", CohortSource(kind="group", id="ward-7")),
        ("list:a.1", CohortSource(kind="list", id="a.1")),
        ("patients:a.1", CohortSource(kind="patients", patients=("a.1",))),
        ("patients:a,b,a", CohortSource(kind="patients", patients=("a", "b", "a"))),
        ("file:lists/today.csv", CohortSource(kind="file", path="lists/today.csv")),
        ("file:s3://lists/today.csv", CohortSource(kind="file", path="s3://lists/today.csv")),
        ("export", CohortSource(kind="export")),
        ("export:ward-7", CohortSource(kind="export", id="ward-7")),
        ("adt", CohortSource(kind="adt")),
        ("adt:main,north-wing", CohortSource(kind="adt", feeds=("main", "north-wing"))),
    ],
)
def test_a_cohort_can_be_given_as_a_short_text(text: str, source: CohortSource) -> None:
    assert cohort_of(text) == source


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "groups:1",
            "group",
            "group:",
            "group:a/b",
            "search:x",
            "file:",
            "export:a b",
            "adt:",
            "adt:Main",
            "adt:a,",
        ),
        *(
            "patients",
            "patients:",
            "patients:a,",
            "patients:,a",
            "patients:a b",
            "patients:a;b",
            f"patients:{'a' * 65}",
        ),
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected search, locations"):
        cohort_of(text)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"kind": "group"}, "needs id"),
        ({"kind": "file"}, "needs path"),
        ({"kind": "patients"}, "needs patients"),
        ({"kind": "group", "id": "a", "patients": ["b"]}, "does not take patients"),
        ({"kind": "search", "id": "a"}, "does not take id"),
        ({"kind": "list", "id": "a", "since": "1d"}, "does not take since"),
        ({"kind": "file", "path": "ftp://name:secret@host/ids"}, "contains credentials"),
    ],
)
def test_keys_belong_to_their_kind(keys: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CohortSource.model_validate(keys)


def test_a_cohort_is_the_same_after_it_was_stored() -> None:
    source = CohortSource.model_validate({"kind": "export", "since": "30d", "deadline": "30m"})
    assert CohortSource.model_validate_json(source.model_dump_json()) == source


def test_an_invalid_patient_id_is_reported_by_its_place_and_never_quoted() -> None:
    with pytest.raises(ValidationError) as raised:
        CohortSource.model_validate({"kind": "patients", "patients": ["a", "Ada Lovelace"]})
    assert [error["msg"] for error in raised.value.errors()] == [
        "Value error, number 2 is not a Patient id; use at most 64 letters, digits, - and ."
    ]
