"""Tests when a stay is certainly under way, when possibly, and when its Encounter states no time at all."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wardround.core.stays import FoundStays
from wardround.fhir.references import Bases
from wardround.sources.fhir.encounter_rule import EncounterRule
from wardround.sources.fhir.encounters import EncounterRecords

AS_OF = datetime(2026, 3, 10, 5, tzinfo=UTC)
START = AS_OF - timedelta(hours=24)
RULE = EncounterRule(frozenset({"ACUTE"}), frozenset({"icu"}))
ACUTE = {"class": {"code": "ACUTE"}}


def found(**encounter: Any) -> FoundStays:
    records = EncounterRecords(Bases())
    plain = {"resourceType": "Encounter", "id": "e", "status": "in-progress", "class": {"code": "IMP"}}
    records.add([{**plain, "subject": {"reference": "Patient/a"}, **encounter}])
    return records.stays(RULE, START, AS_OF)


def outcome(**encounter: Any) -> str:
    """Returns `stay`, the reason why it is set aside, or `not found`."""
    stays, set_aside = found(**encounter)
    return "stay" if len(stays) else next(iter(set_aside["reason"]), "not found")


def times(**encounter: Any) -> tuple[str, str]:
    row = found(**encounter).stays.iloc[0]
    return tuple("" if time is None else f"{time:%d %H:%M}" for time in (row["intime"], row["outtime"]) if time == time)


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ({"start": "2026-03-09T03:00:00Z"}, "stay"),
        ({"start": "2026-03-08"}, "stay"),
        ({"start": "2026-02"}, "stay"),
        ({"start": "2025"}, "stay"),
        ({"start": "2026-03-09T16:59:00"}, "stay"),
        ({"start": "2026-03-09T17:00"}, "stay"),
        # In Hawaii the 9th goes on at as_of, and a clock there may show 17:30 of that day.
        ({"start": "2026-03-09"}, "uncertain_period"),
        ({"start": "2026-03-09T17:00:01"}, "uncertain_period"),
        ({"start": "2026-03-10"}, "uncertain_period"),
        ({"start": "2026-03"}, "uncertain_period"),
        ({"start": "2026-03-10T19:00:00"}, "uncertain_period"),
        ({"start": "2026-03-10T19:00:01"}, "not found"),
        ({"start": "2026-03-11"}, "not found"),
        ({"start": "2026-03-08", "end": "2026-03-12"}, "stay"),
        ({"start": "2026-03-08", "end": "2026-03-10"}, "uncertain_period"),
        ({"start": "2026-03-01", "end": "2026-03-08"}, "stay"),
        ({"start": "2026-03-01", "end": "2026-03-07"}, "not found"),
        ({"start": "2026-03-01", "end": "2026-03-09T12:00:00"}, "stay"),
        ({"end": "2026-03-10T08:00:00Z"}, "no_period"),
        ({"end": "2026-03-08T08:00:00Z"}, "not found"),
        ({"start": "2026-03-09T08:00:00Z", "end": "2026-03-09T07:00:00Z"}, "reversed_period"),
        ({"start": "2026-03-10T08:00:00Z", "end": "2026-03-09T07:00:00Z"}, "not found"),
        (None, "no_period"),
        ({}, "no_period"),
        ({"start": None}, "no_period"),
        ({"start": ["2026-03-09"]}, "no_period"),
    ],
)
def test_a_stay_counts_only_if_every_reading_of_its_times_agrees(period: Any, expected: str) -> None:
    assert outcome(**ACUTE, period=period) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [("in-progress", "no_period"), ("onleave", "no_period"), ("arrived", "no_period"), ("unknown", "no_period")]
    + [(status, "not found") for status in ("finished", "planned", "cancelled", "entered-in-error", None, 5)],
)
def test_an_encounter_without_a_period_is_set_aside_if_it_may_be_under_way(status: Any, expected: str) -> None:
    assert outcome(**ACUTE, status=status) == expected


def test_a_date_is_the_latest_begin_and_the_earliest_end_that_it_may_mean() -> None:
    assert times(**ACUTE, period={"start": "2026-03-08", "end": "2026-03-12"}) == ("09 11:59", "11 10:00")


def part(location: str = "icu", **rest: Any) -> dict[str, Any]:
    return {"location": {"reference": f"Location/{location}"}, **rest}


NIGHT = {"start": "2026-03-09T22:00:00Z"}
WHOLE = {"start": "2026-03-05T10:00:00Z"}


@pytest.mark.parametrize(
    ("stint", "expected"),
    [
        (part(status="active", period=NIGHT), ("09 22:00",)),
        (part(period=NIGHT), ("09 22:00",)),
        (part(status="active"), ("05 10:00",)),
        (part(), ("05 10:00",)),
        (part(period={"end": "2026-03-10T08:00:00Z"}), ("05 10:00", "10 08:00")),
        (part(status="completed", period={**NIGHT, "end": "2026-03-10T08:00:00Z"}), ("09 22:00", "10 08:00")),
    ],
)
def test_a_part_in_the_icu_counts_for_its_time_or_for_the_encounters(stint: dict[str, Any], expected: tuple) -> None:
    assert times(period=WHOLE, location=[stint]) == expected


@pytest.mark.parametrize(
    "stint",
    [
        part(status="planned", period=NIGHT),
        part(status="reserved", period=NIGHT),
        part(status="planned"),
        part(status="completed"),
        part(status="completed", period=NIGHT),
        part(status="completed", period={"start": "2026-03-06T08:00:00Z", "end": "2026-03-07T08:00:00Z"}),
        part("ward", status="active", period=NIGHT),
    ],
)
def test_a_bed_without_a_known_occupant_makes_no_stay(stint: dict[str, Any]) -> None:
    assert outcome(period=WHOLE, location=[stint]) == "not found"


@pytest.mark.parametrize("status", ["Active", 1, ["active"]])
def test_a_part_of_an_unknown_status_is_malformed(status: object) -> None:
    assert outcome(period=WHOLE, location=[part(status=status, period=NIGHT)]) == "malformed"


def test_a_part_with_a_start_replaces_the_missing_start_of_the_encounter() -> None:
    assert times(location=[part(status="active", period=NIGHT)]) == ("09 22:00",)


def test_a_discharged_patient_is_in_no_bed() -> None:
    left = {**WHOLE, "end": "2026-03-08T10:00:00Z"}
    assert (
        outcome(period=left, location=[part(status="active", period={"start": "2026-03-06T10:00:00Z"})]) == "not found"
    )


def test_a_planned_bed_is_not_the_unit() -> None:
    stints = [part("ward", period=WHOLE), part("soon", status="planned", period=NIGHT)]
    for stint in stints:
        stint["location"]["display"] = stint["location"]["reference"]
    assert found(**ACUTE, period=WHOLE, location=stints).stays["unit"].tolist() == ["Location/ward"]


def history(code: str, **period: str) -> dict[str, Any]:
    return {"class": {"code": code}, "period": period}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([history("EMER", start="2026-03-05T10:00:00Z", end="2026-03-09T20:00:00Z")], ("09 20:00",)),
        ([history("ACUTE", start="2026-03-07T10:00:00Z")], ("05 10:00",)),
        (
            [
                history("EMER", start="2026-03-05T10:00:00Z", end="2026-03-06T20:00:00Z"),
                history("ACUTE", start="2026-03-06T20:00:00Z"),
            ],
            ("06 20:00",),
        ),
    ],
)
def test_an_encounter_counts_from_when_it_became_of_the_class(entries: list[Any], expected: tuple) -> None:
    assert times(**ACUTE, period=WHOLE, classHistory=entries) == expected


def test_an_encounter_that_became_of_the_class_after_as_of_was_not_of_it() -> None:
    entry = history("EMER", start="2026-03-05T10:00:00Z", end="2026-03-10T06:00:00Z")
    assert outcome(**ACUTE, period=WHOLE, classHistory=[entry]) == "not found"


@pytest.mark.parametrize(
    "changes",
    [
        {"modifierExtension": [{"url": "urn:not-an-encounter"}]},
        {"implicitRules": "urn:rules"},
        {"location": [{**part("ward"), "modifierExtension": [{"url": "urn:not-there"}]}]},
    ],
)
def test_an_encounter_with_an_unknown_modifier_is_not_read(changes: dict[str, Any]) -> None:
    assert outcome(**ACUTE, period=WHOLE, **changes) == "modifier_extension"
