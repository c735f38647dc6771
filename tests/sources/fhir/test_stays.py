"""Tests which Encounters are ICU stays, and for how long."""

import weakref
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from wardround.core.stays import EXCLUDED_COLUMNS, FOUND_STAY_COLUMNS
from wardround.errors import FhirError
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.fhir.references import Bases
from wardround.sources.fhir.encounter_rule import EncounterRule
from wardround.sources.fhir.encounters import EncounterRecords
from wardround.sources.fhir.locations import called
from wardround.sources.fhir.stays import find
from wardround.spec.servers import GENERIC

ACUTE = EncounterRule(frozenset({"ACUTE"}), frozenset({"icu"}))
PATIENT = {"resourceType": "Patient", "id": "a", "gender": "female", "birthDate": "1950-02-28"}
ICU = {"resourceType": "Location", "id": "icu", "name": "Medical ICU", "alias": ["MICU"]}
WARD = {"resourceType": "Location", "id": "ward", "name": "Ward"}


def period(start: int | None, end: int | None = None) -> dict:
    """Returns a period between two hours of 2 January 2026."""
    hours = {"start": start, "end": end}
    return {name: f"2026-01-02T{hour:02}:00:00Z" for name, hour in hours.items() if hour is not None}


def encounter(key: str = "e1", **changes) -> dict:
    resource = {
        "resourceType": "Encounter",
        "id": key,
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "ACUTE"},
        "subject": {"reference": "Patient/a"},
        "period": period(2, 20),
    }
    return {name: value for name, value in {**resource, **changes}.items() if value is not None}


def in_location(location: str, when: dict | None) -> dict:
    return {"location": {"reference": f"Location/{location}"}} | ({"period": when} if when else {})


def at(hour: int) -> datetime:
    return datetime(2026, 1, 2, hour, tzinfo=UTC)


def stays(*encounters: dict, rule: EncounterRule = ACUTE, start: int | None = None, as_of: int | None = None):
    records = EncounterRecords(Bases())
    records.add([*encounters, PATIENT, ICU, WARD])
    return records.stays(rule, None if start is None else at(start), None if as_of is None else at(as_of))


def hours(found) -> list[tuple[int, int | None]]:
    times = zip(found.stays["intime"], found.stays["outtime"], strict=True)
    return [(begin.hour, None if pd.isna(end) else end.hour) for begin, end in times]


def test_the_stays_of_a_hospital_are_as_if_each_had_been_found_alone() -> None:
    keys = [f"e{number:05}" for number in range(4_500)]  # more than become rows together
    people = [{**PATIENT, "id": key, "birthDate": f"19{50 + place % 50}-02-28"} for place, key in enumerate(keys)]
    people[0] = {**people[0], "link": [{"type": "replaced-by", "other": {"reference": f"Patient/{keys[-1]}"}}]}
    found = [encounter(key, subject={"reference": f"Patient/{key}"}) for key in reversed(keys)]
    found[7] = encounter(keys[-8], subject={"reference": f"Patient/{keys[-8]}"}, period=period(20, 2))
    records = EncounterRecords(Bases())
    records.add([*found, *people])
    stays, set_aside = records.stays(ACUTE)
    assert stays["stay_id"].tolist() == [key for key in keys if key != keys[-8]]
    assert set_aside.values.tolist() == [[keys[-8], keys[-8], "reversed_period"]]
    assert stays["succeeded_by"].tolist() == [keys[-1], *[""] * 4_498]
    alone = EncounterRecords(Bases())
    alone.add([found[0], people[-1]])
    pd.testing.assert_frame_equal(stays.tail(1).reset_index(drop=True), alone.stays(ACUTE).stays)
    assert dict(stays.dtypes) == dict(alone.stays(ACUTE).stays.dtypes)


class Resource(dict[str, Any]):
    """A resource that can have a weak reference, which shows when it is released."""


def test_a_census_keeps_of_a_resource_only_what_a_stay_needs() -> None:
    kept = Resource(encounter(text={"div": "long"}))
    gone = weakref.ref(kept)
    records = EncounterRecords(Bases())
    records.add(iter([kept]))
    del kept
    assert gone() is None
    assert records.stays(ACUTE).stays["stay_id"].tolist() == ["e1"]


def test_a_stay_has_its_period_its_patient_and_its_unit() -> None:
    stay = stays(encounter(location=[in_location("ward", period(2, 4)), in_location("icu", period(4, 20))])).stays
    assert {name: str(kind) for name, kind in stay.dtypes.items()} == FOUND_STAY_COLUMNS
    row = stay.iloc[0]
    assert (row["stay_id"], row["patient_id"], row["unit"], row["sex"]) == ("e1", "a", "Medical ICU", "female")
    assert row["birth_date"] == pd.Timestamp("1950-02-28")


def test_a_class_may_be_given_with_its_system() -> None:
    rule = EncounterRule(frozenset({"http://terminology.hl7.org/CodeSystem/v3-ActCode|ACUTE"}), frozenset())
    assert len(stays(encounter(), rule=rule).stays) == 1
    assert stays(encounter(), rule=EncounterRule(frozenset({"urn:other|ACUTE"}), frozenset())).stays.empty


def test_an_encounter_of_another_class_counts_for_its_time_in_the_icu() -> None:
    hospital = encounter(**{"class": {"code": "IMP"}})
    hospital["location"] = [in_location("ward", period(2, 6)), in_location("icu", period(6, 9))]
    assert hours(stays(hospital)) == [(6, 9)]


def test_a_part_without_a_period_counts_for_the_encounters() -> None:
    assert hours(stays(encounter(**{"class": {"code": "IMP"}}, location=[in_location("icu", None)]))) == [(2, 20)]


def test_two_parts_in_the_icu_are_one_stay_and_one_that_goes_on_leaves_it_open() -> None:
    parts = [in_location("icu", period(3, 5)), in_location("icu", period(8))]
    hospital = encounter(**{"class": {"code": "IMP"}}, period=period(2), location=parts)
    assert hours(stays(hospital)) == [(3, None)]
    assert hours(stays(hospital, as_of=6)) == [(3, 5)]


def test_no_part_outlasts_its_encounter() -> None:
    parts = [in_location("icu", period(3))]
    assert hours(stays(encounter(**{"class": {"code": "IMP"}}, location=parts))) == [(3, 20)]


def test_an_encounter_of_neither_class_nor_location_is_no_stay() -> None:
    found = stays(encounter(**{"class": {"code": "AMB"}}, location=[in_location("ward", period(2, 6))]))
    assert found.stays.empty
    assert found.set_aside.empty


@pytest.mark.parametrize(("start", "as_of", "found"), [(20, 22, 1), (21, 22, 0), (0, 2, 1), (0, 1, 0), (5, 6, 1)])
def test_a_stay_is_found_if_it_overlaps_the_look_back_both_ends_included(start: int, as_of: int, found: int) -> None:
    assert len(stays(encounter(), start=start, as_of=as_of).stays) == found


def test_an_open_stay_overlaps_all_that_follows() -> None:
    assert hours(stays(encounter(period=period(2)), start=22, as_of=23)) == [(2, None)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"subject": None}, "no_subject"),
        ({"subject": {"display": "somebody"}}, "no_subject"),
        ({"subject": {"reference": "Group/g"}}, "no_subject"),
        ({"period": None}, "no_period"),
        ({"period": {"end": "2026-01-02T20:00:00Z"}}, "no_period"),
        ({"period": {"start": "2026-01-02"}}, "uncertain_period"),
        ({"period": {"start": "2026-01-02T02:00:00"}}, "uncertain_period"),
        ({"period": {"start": "2026-01-02T02:00:00Z", "end": "2026-01-02"}}, "uncertain_period"),
        ({"period": {"start": "in the night"}}, "no_period"),
        ({"period": {"start": 20260102}}, "no_period"),
        ({"period": {"start": "2026-01-02T02:00:00Z", "end": "2026-13-01"}}, "no_period"),
        ({"period": period(20, 2)}, "reversed_period"),
        ({"period": "all day"}, "malformed"),
        ({"class": ["ACUTE"]}, "malformed"),
        ({"location": ["ward"]}, "malformed"),
        ({"subject": "a"}, "no_subject"),
        ({"subject": {"identifier": {"system": "urn:x", "value": "1"}}}, "no_subject"),
        ({"subject": {"reference": "#p"}}, "no_subject"),
        ({"subject": {"reference": "Patient?identifier=urn:x|1"}}, "no_subject"),
        ({"subject": {"reference": 1}}, "no_subject"),
        ({"subject": {"reference": "Patient/a", "type": "Group"}}, "malformed"),
        ({"subject": {"reference": "https://elsewhere.org/fhir/Patient/a"}}, "foreign_reference"),
        ({"subject": {"reference": "urn:uuid:5f0e9a77-3b2f-5d6e-8a80-000000000001"}}, "foreign_reference"),
    ],
)
def test_an_encounter_that_cannot_be_used_is_set_aside_with_its_reason(changes: dict, reason: str) -> None:
    found = stays(encounter(**changes), encounter("e2"))
    assert found.stays["stay_id"].tolist() == ["e2"]
    assert found.set_aside[["stay_id", "reason"]].to_numpy().tolist() == [["e1", reason]]
    assert {name: str(kind) for name, kind in found.set_aside.dtypes.items()} == EXCLUDED_COLUMNS


@pytest.mark.parametrize(("key", "named"), [("e1", "e1"), (None, "(no usable id) 1")])
def test_an_encounter_nested_too_deeply_is_set_aside_alone(key: str | None, named: str) -> None:
    nested: object = []
    for _ in range(5000):
        nested = [nested]
    found = stays(encounter("e2"), {**encounter(), "id": key, "type": nested})
    assert found.stays["stay_id"].tolist() == ["e2"]
    assert found.set_aside[["stay_id", "reason"]].to_numpy().tolist() == [[named, "malformed"]]


NO_ID = "(no usable id)"


@pytest.mark.parametrize("key", [None, "", 7, 7.5, True, ["e"], {"e": 1}, "a b", "e/1", "0" * 65, "é"])
def test_an_encounter_without_a_usable_id_is_set_aside_alone(key: object) -> None:
    found = stays(encounter("e2"), {**encounter(), "id": key})
    assert found.stays["stay_id"].tolist() == ["e2"]
    assert found.set_aside.to_numpy().tolist() == [[f"{NO_ID} 1", "a", "malformed"]]


def test_encounters_without_an_id_are_counted_each_once_in_any_order() -> None:
    nameless = [{**encounter(), "id": None, "subject": {"reference": f"Patient/{one}"}} for one in "abc"]
    ambulatory = {**encounter(**{"class": {"code": "AMB"}}), "id": None}
    expected = [[f"{NO_ID} {number}", one, "malformed"] for number, one in enumerate("abc", start=1)]
    for given in (nameless, [*nameless[::-1], ambulatory, *nameless]):
        assert stays(*given).set_aside.to_numpy().tolist() == expected


def test_a_patient_without_a_usable_id_belongs_to_no_stay() -> None:
    records = EncounterRecords(Bases())
    records.add([encounter(subject={"reference": "Patient/None"}), {**PATIENT, "id": None}, {**ICU, "id": 1}])
    assert records.missing()["Patient"] == ["None"]
    assert called(records.locations, "Medical ICU") == []


def test_a_patient_of_another_base_url_is_not_asked_for() -> None:
    records = EncounterRecords(Bases("https://example.org/fhir"))
    elsewhere = encounter("e2", subject={"reference": "https://elsewhere.org/fhir/Patient/z"})
    records.add([encounter(subject={"reference": "https://example.org/fhir/Patient/a"}), elsewhere, PATIENT])
    assert records.missing() == {"Patient": [], "Location": []}
    assert records.stays(ACUTE).stays["patient_id"].tolist() == ["a"]


def test_a_location_elsewhere_is_not_ours_of_the_same_id() -> None:
    there = {"location": {"reference": "https://elsewhere.org/fhir/Location/icu"}}
    assert stays(encounter(**{"class": {"code": "IMP"}}, location=[there])).stays.empty


def search(server, **settings):
    with FhirClient(FhirEndpoint(server.url, **settings)) as client:
        return find(client, client.source.icu, at(1), at(22))


def test_the_server_is_asked_by_class_and_by_location_and_each_stay_comes_once(server, page) -> None:
    hospital = encounter("e2", **{"class": {"code": "IMP"}}, location=[in_location("icu", period(6, 9))])

    def answer(request):
        if "Location" in request.path:
            return page(ICU, WARD)
        return page(encounter(), PATIENT) if "class" in request.form else page(encounter(), hospital, PATIENT, ICU)

    server.answer = answer
    found = search(server, icu_locations=("medical icu",))
    assert found.stays["stay_id"].tolist() == ["e1", "e2"]
    by_class = next(request.form for request in server.requests if "class" in request.form)
    # A day and two hours more on each side: the server may have read a date in any zone.
    assert by_class["date"] == ["ge2025-12-31T23:00:00Z", "le2026-01-04T00:00:00Z"]
    assert "Encounter:patient" in by_class["_include"]
    by_location = next(request.form for request in server.requests if "location" in request.form)
    assert by_location["location"] == ["Location/icu"]


@pytest.mark.parametrize("name", ["icu", "Location/icu", "MICU", "Medical ICU"])
def test_an_icu_location_is_given_by_id_name_or_alias(server, page, name: str) -> None:
    server.answer = lambda request: page(ICU) if "Location" in request.path else page()
    assert search(server, icu_locations=(name,)).stays.empty


def test_an_unknown_icu_location_is_an_error(server, page) -> None:
    server.answer = lambda _request: page()
    with pytest.raises(FhirError, match="no Location 'Moon'"):
        search(server, icu_locations=("Moon",))


def test_patients_that_the_server_does_not_include_are_asked_for(server, page) -> None:
    server.answer = lambda request: page(PATIENT) if "Patient" in request.path else page(encounter())
    assert search(server).stays["sex"].tolist() == ["female"]
    assert server.requests[-1].form["_id"] == ["a"]


def test_patients_of_another_time_are_not_asked_for(server, page) -> None:
    long_ago = encounter("e2", subject={"reference": "Patient/z"}, period={**period(2), "end": "2026-01-02T00:30:00Z"})
    long_ago["period"]["start"] = "2025-01-02T00:00:00Z"
    server.answer = lambda request: page(PATIENT) if "Patient" in request.path else page(encounter(), long_ago)
    assert search(server, profile=knowing(encounter_by=("class",))).stays["stay_id"].tolist() == ["e1"]
    assert server.requests[-1].form["_id"] == ["a"]


def test_a_server_that_ignores_the_class_does_not_turn_visits_into_stays(server, page) -> None:
    server.answer = lambda _request: page(encounter(**{"class": {"code": "AMB"}}), PATIENT)
    assert search(server).stays.empty


def knowing(**changes):
    """Returns the profile of a server that supports less than the standard."""
    return GENERIC.model_copy(update=changes)


def test_a_server_without_search_by_class_is_asked_by_date_and_other_visits_are_left_out(server, page) -> None:
    visit = encounter("e2", **{"class": {"code": "AMB"}})
    server.answer = lambda _request: page(encounter(), visit, PATIENT)
    found = search(server, profile=knowing(encounter_by=("date",)))
    assert found.stays["stay_id"].tolist() == ["e1"]
    assert [sorted(request.form) for request in server.requests] == [["_count", "_include", "date"]]


def test_a_server_without_search_by_date_gives_stays_of_all_times_and_those_outside_are_left_out(server, page) -> None:
    server.answer = lambda _request: page(encounter(), encounter("e2", period=period(23)), PATIENT)
    found = search(server, profile=knowing(encounter_by=("class",)))
    assert found.stays["stay_id"].tolist() == ["e1"]
    assert "date" not in server.requests[0].form


def test_a_server_that_finds_encounters_by_patient_only_needs_a_cohort(server) -> None:
    with pytest.raises(FhirError, match="only by patient, expected a cohort of patients; screen a Group"):
        search(server, profile=knowing(encounter_needs_patient=True))
    assert server.requests == []


def test_a_server_without_posted_searches_and_without_includes_is_asked_by_get(server, page) -> None:
    server.answer = lambda request: page(PATIENT) if "/Patient?" in request.path else page(encounter())
    found = search(server, profile=knowing(has_post_search=False, has_include=False))
    assert found.stays["sex"].tolist() == ["female"]
    assert {request.method for request in server.requests} == {"GET"}
    assert all("_include" not in request.form for request in server.requests)
