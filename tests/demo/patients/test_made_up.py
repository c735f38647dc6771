"""Tests what demo-patients changes of a prefetch, also of one that is not as FHIR has it."""

from datetime import UTC, datetime
from typing import Any

from wardround.demo.patients.made_up import SYSTEM, made_up, only_latest
from wardround.demo.patients.transactions import transaction
from wardround.demo.sandbox.charts import searchset

NOW = datetime(2026, 1, 2, 5, tzinfo=UTC)
PATIENT = {"resourceType": "Patient", "id": "p", "name": "ZZ", "photo": [{"url": "ZZ"}], "birthDate": "1960"}


def observed(key: str, **content: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": key, **content}


def test_a_name_is_the_same_each_time_and_stays_with_the_id() -> None:
    names = {made_up({"x": {**PATIENT, "id": key}}, NOW)["x"]["name"][0]["given"][0] for key in ("p", "p", "q", "r")}
    assert 1 < len(names) <= 3
    assert made_up({"x": PATIENT}, NOW) == made_up({"x": PATIENT}, NOW)


def test_what_tells_who_somebody_is_goes_and_what_a_model_needs_stays() -> None:
    changed = made_up({"x": PATIENT}, NOW)["x"]
    assert "ZZ" not in str(changed)
    assert changed["birthDate"] == "1960"


def test_the_identifier_is_one_for_each_resource_and_time() -> None:
    found = searchset(iter([observed("a"), observed("b", identifier=[{"value": "own"}])]))
    first, later = (made_up({"x": found}, time)["x"] for time in (NOW, NOW.replace(hour=6)))
    keys = [
        entry["resource"]["identifier"][-1]["value"]
        for bundle in (first, later)
        for entry in bundle["entry"]
        if entry["resource"]["identifier"][-1]["system"] == SYSTEM
    ]
    assert len(set(keys)) == 4
    assert first["entry"][1]["resource"]["identifier"][0] == {"value": "own"}


def test_of_each_code_the_latest_is_kept_and_what_has_neither_code_nor_time_does_no_harm() -> None:
    code = {"coding": [{"system": "s", "code": "c"}]}
    many = [
        observed("early", code=code, effectiveDateTime="2026-01-02T03:00:00Z"),
        observed("late", code=code, effectiveDateTime="2026-01-02T05:30:00+02:00"),
        observed("undated", code=code, effectiveDateTime=7),
        observed("odd", code=["c"]),
        {"resourceType": "Encounter", "id": "e"},
    ]
    kept = only_latest({"x": searchset(iter(many)), "y": searchset(iter([])), "z": PATIENT})
    assert [entry["resource"]["id"] for entry in kept["x"]["entry"]] == ["late", "odd", "e"]
    assert (kept["x"]["total"], kept["y"]["total"], kept["z"]) == (3, 0, PATIENT)


def test_a_transaction_refers_to_what_is_in_it_and_to_nothing_else() -> None:
    patient, stay = (
        made_up({"x": one}, NOW)["x"]
        for one in (
            {**PATIENT, "managingOrganization": {"reference": "Organization/o"}},
            {
                "resourceType": "Encounter",
                "id": "e",
                "contained": [{"resourceType": "Location", "id": "l"}],
                "subject": {"reference": "Patient/p"},
                "location": [{"location": {"reference": "#l"}}, {"location": {"reference": "Location/elsewhere"}}],
                "serviceProvider": {"reference": "Organization/o", "display": "A hospital"},
            },
        )
    )
    first, second = transaction([patient, stay])["entry"]
    assert "managingOrganization" not in first["resource"]
    assert second["resource"]["subject"] == {"reference": first["fullUrl"]}
    assert second["resource"]["location"] == [{"location": {"reference": "#l"}}]
    assert second["resource"]["serviceProvider"] == {"display": "A hospital"}
    assert {one["request"]["method"] for one in (first, second)} == {"POST"}
