"""Tests which stay a call is about."""

from datetime import UTC, datetime
from typing import Any

import pytest

from wardround.fhir.references import Bases
from wardround.sources.fhir.current_stay import CurrentStay, How, NoStay, current_stay
from wardround.sources.fhir.encounter_rule import EncounterRule
from wardround.sources.fhir.encounters import EncounterRecords
from wardround.spec.loading import load_condition

AS_OF = datetime(2026, 3, 10, 12, tzinfo=UTC)
RULE = EncounterRule(classes=frozenset({"ACUTE"}))


def encounter(key: str, start: str = "2026-03-09T12:00:00Z", end: str = "", part_of: str = "", **more: Any) -> Any:
    return {
        "resourceType": "Encounter",
        "id": key,
        "status": "finished" if end else "in-progress",
        "class": {"code": "ACUTE"},
        "subject": {"reference": "Patient/p"},
        "period": {"start": start, **({"end": end} if end else {})},
        **({"partOf": {"reference": f"Encounter/{part_of}"}} if part_of else {}),
        **more,
    }


def hospital(key: str = "h", **more: Any) -> Any:
    return encounter(key, "2026-03-07T12:00:00Z", **{"class": {"code": "IMP"}, **more})


OVER = encounter("old", "2026-01-01T00:00:00Z", "2026-01-05T00:00:00Z")


@pytest.fixture
def found(schemas):
    condition = load_condition("sepsis", schemas)

    def find(named: str | None, *encounters: Any, **patient: Any) -> CurrentStay | NoStay:
        records = EncounterRecords(Bases())
        person = {"resourceType": "Patient", "id": "p", "birthDate": "1960-01-01", **patient}
        records.add([person, *encounters])
        return current_stay(records, RULE, named, AS_OF, condition)

    return find


def named(stay: CurrentStay | NoStay) -> tuple[str, How] | str:
    return stay.reason if isinstance(stay, NoStay) else (stay.stay.stay_id, stay.how)


def test_without_an_encounter_it_is_the_patients_current_one(found):
    assert named(found(None, OVER, encounter("now"), hospital())) == ("now", How.CURRENT)


def test_the_encounter_that_is_named_counts_even_if_a_later_one_goes_on(found):
    later = encounter("later", "2026-03-10T00:00:00Z")
    assert named(found("now", encounter("now"), later)) == ("now", How.NAMED)
    assert named(found(None, encounter("now"), later)) == ("later", How.CURRENT)


def test_of_a_hospital_stay_it_is_the_current_part_in_the_unit(found):
    parts = encounter("early", end="2026-03-09T18:00:00Z", part_of="h"), encounter("now", part_of="h")
    assert named(found("h", hospital(), *parts)) == ("now", How.PART_OF_NAMED)
    between = encounter("ward", part_of="h", **{"class": {"code": "IMP"}})
    assert named(found("h", hospital(), between, encounter("now", part_of="ward"))) == ("now", How.PART_OF_NAMED)


def test_an_encounter_of_the_class_that_has_a_part_there_leads_to_the_part(found):
    assert named(found("whole", encounter("whole"), encounter("part", part_of="whole"))) == ("part", How.PART_OF_NAMED)


def test_an_encounter_that_is_unknown_or_elsewhere_leads_to_the_current_stay_which_is_said(found):
    elsewhere = hospital("clinic")
    for key in ("unknown", "clinic"):
        assert named(found(key, elsewhere, encounter("now"))) == ("now", How.INSTEAD_OF_NAMED)


def test_a_stay_that_is_named_and_over_is_not_replaced_by_another(found):
    assert named(found("old", OVER, encounter("now"))) == "discharged"
    wrong = encounter("wrong", status="entered-in-error")
    assert named(found("wrong", wrong, encounter("now"))) == "unusable_status"
    unclear = encounter("unclear", "2026-03-10")
    assert named(found("unclear", unclear, encounter("now"))) == "uncertain_period"


def test_encounters_that_are_parts_of_each_other_end(found):
    ring = encounter("a", part_of="b"), encounter("b", part_of="a")
    assert named(found("h", *ring, hospital())) == "parent_encounter"


@pytest.mark.parametrize(
    ("encounters", "patient", "reason"),
    [
        ([], {}, "no_icu_stay"),
        ([hospital()], {}, "no_icu_stay"),
        ([OVER], {}, "discharged"),
        ([OVER, encounter("now")], {"birthDate": "2012-01-01"}, "under_age"),
        ([encounter("now")], {"deceasedBoolean": True}, "deceased"),
        ([encounter("now")], {"active": False}, "inactive_patient"),
        ([encounter("now")], {"id": "q"}, "unknown_patient"),
        ([OVER, encounter("today", "2026-03-10")], {}, "uncertain_period"),
        ([encounter("tomorrow", "2026-03-11T00:00:00Z")], {}, "no_icu_stay"),
    ],
)
def test_without_a_stay_the_reason_that_says_most_is_given(found, encounters, patient, reason):
    assert named(found(None, *encounters, **patient)) == reason
    assert named(found("unknown", *encounters, **patient)) == reason


def test_of_two_that_began_together_always_the_same_counts(found):
    both = encounter("a"), encounter("b")
    assert named(found(None, *both)) == named(found(None, *reversed(both))) == ("b", How.CURRENT)
