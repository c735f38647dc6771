"""When a stay began, in its unit and in the hospital: to the moment, or unknown with a reason."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from wardround.errors import FhirUnreachable
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.references import Bases
from wardround.sources.fhir.encounter_rule import EncounterRule
from wardround.sources.fhir.encounters import EncounterRecords
from wardround.sources.fhir.stays import find

OF_CLASS = EncounterRule(frozenset({"ACUTE"}))
IN_ICU = EncounterRule(locations=frozenset({"icu"}))
PATIENT = {"resourceType": "Patient", "id": "a", "gender": "female", "birthDate": "1950-02-28"}
ICU = {"resourceType": "Location", "id": "icu", "name": "ICU"}
AS_OF = 40


def at(hour: float) -> datetime:
    """A time in hours since 1 January 2026."""
    return datetime(2026, 1, 1, tzinfo=UTC) + pd.Timedelta(hours=hour)


def period(start: float, end: float | None = None) -> dict[str, str]:
    times = {"start": start, "end": end}
    return {name: at(hour).isoformat() for name, hour in times.items() if hour is not None}


def encounter(key: str = "icu-stay", part_of: str | None = None, **changes: Any) -> dict[str, Any]:
    resource = {
        "resourceType": "Encounter",
        "id": key,
        "status": "in-progress",
        "class": {"code": "ACUTE"},
        "subject": {"reference": "Patient/a"},
        "period": period(10),
        "partOf": {"reference": f"Encounter/{part_of}"} if part_of else None,
    }
    return {name: value for name, value in {**resource, **changes}.items() if value is not None}


def hospital(key: str = "hospital", **changes: Any) -> dict[str, Any]:
    return encounter(key, **{"class": {"code": "IMP"}, "period": period(3), **changes})


def only(
    *encounters: dict[str, Any], rule: EncounterRule = OF_CLASS, as_of: float | None = AS_OF, look_back: float = 24
) -> pd.Series:
    """The first stay among the Encounters."""
    records = EncounterRecords(Bases())
    records.add([*encounters, PATIENT, ICU])
    span = (None, None) if as_of is None else (at(as_of - look_back), at(as_of))
    return records.stays(rule, *span).stays.iloc[0]


def hour(time: pd.Timestamp) -> float | None:
    return None if pd.isna(time) else (time - at(0)) / pd.Timedelta(hours=1)


def begins(stay: pd.Series) -> tuple[float | None, float | None, str]:
    return hour(stay["unit_begin"]), hour(stay["hospital_begin"]), stay["hospital_unknown"]


def test_the_begins_are_those_of_the_encounter_and_of_the_one_that_it_is_part_of() -> None:
    assert begins(only(encounter(part_of="hospital"), hospital())) == (10, 3, "")


def test_the_outermost_encounter_tells_when_the_hospital_stay_began() -> None:
    department = encounter("department", "hospital", period=period(6), **{"class": {"code": "IMP"}})
    assert begins(only(encounter(part_of="department"), department, hospital())) == (10, 3, "")


def test_an_encounter_of_another_patient_is_no_whole_of_this_one() -> None:
    mothers = hospital("mothers", subject={"reference": "Patient/b"})
    assert begins(only(encounter(part_of="mothers"), mothers)) == (10, None, "no_hospital_encounter")
    newborns = hospital("newborns", part_of="mothers", period=period(5))
    assert begins(only(encounter(part_of="newborns"), newborns, mothers)) == (10, 5, "")


@pytest.mark.parametrize(
    ("whole", "reason"),
    [
        (hospital("another"), "hospital_encounter_not_read"),
        (hospital(status="cancelled"), "hospital_encounter_unusable"),
        (hospital(status="planned"), "hospital_encounter_unusable"),
        (hospital(modifierExtension=[{"url": "urn:x", "valueBoolean": True}]), "hospital_encounter_unusable"),
        (hospital(part_of="icu-stay"), "hospital_encounter_unusable"),
        (hospital(subject=None), "hospital_encounter_unusable"),
        (hospital(subject={"reference": "https://elsewhere.org/fhir/Patient/a"}), "hospital_encounter_unusable"),
        (hospital(part_of="gone"), "hospital_encounter_not_read"),
        (hospital(period=None), "no_hospital_begin"),
        (hospital(period={"end": "2026-01-03T00:00:00Z"}), "no_hospital_begin"),
        (hospital(period="always"), "no_hospital_begin"),
        (hospital(period={"start": "soon"}), "no_hospital_begin"),
        (hospital(period={"start": "2026-01-01"}), "uncertain_hospital_begin"),
        (hospital(period={"start": "2026-01-01T03:00:00"}), "uncertain_hospital_begin"),
    ],
)
def test_a_hospital_encounter_that_cannot_tell_costs_its_begin_and_not_the_stay(
    whole: dict[str, Any], reason: str
) -> None:
    assert begins(only(encounter(part_of="hospital"), whole)) == (10, None, reason)


def test_a_hospital_encounter_nested_too_deeply_costs_its_begin_and_not_the_stay() -> None:
    nested: object = []
    for _ in range(5000):
        nested = [nested]
    assert begins(only(encounter(part_of="hospital"), hospital(type=nested))) == (
        *(10, None, "hospital_encounter_unusable"),
    )


@pytest.mark.parametrize(
    "reference", [{"reference": "https://elsewhere.org/fhir/Encounter/hospital"}, {"display": "x"}, "x"]
)
def test_a_whole_that_is_not_ours_is_not_known(reference: object) -> None:
    stay = only(encounter(partOf=reference), hospital())
    assert begins(stay) == (10, None, "hospital_encounter_not_read")


def test_an_encounter_of_the_unit_alone_does_not_tell_when_the_hospital_stay_began() -> None:
    assert begins(only(encounter())) == (10, None, "no_hospital_encounter")
    of_type = EncounterRule(types=frozenset({"icu"}))
    typed = hospital(type=[{"coding": [{"code": "icu"}]}])
    assert begins(only(typed, rule=of_type)) == (3, None, "no_hospital_encounter")


def test_an_encounter_that_counts_for_its_time_in_the_unit_is_the_hospitals_own() -> None:
    stay = only(hospital(location=[in_icu(8)]), rule=IN_ICU)
    assert begins(stay) == (8, 3, "")


def test_an_encounter_that_was_of_another_class_before_is_the_hospitals_own() -> None:
    history = [{"class": {"code": "EMER"}, "period": period(3, 7)}]
    assert begins(only(encounter(period=period(3), classHistory=history))) == (7, 3, "")


def in_icu(start: float, end: float | None = None) -> dict[str, Any]:
    return {"location": {"reference": "Location/icu"}, "period": period(start, end)}


@pytest.mark.parametrize(
    ("stints", "begin"),
    [
        ([(8, 20), (20, None)], 8),  # another bed
        ([(8, 20), (20.25, None)], 8),
        ([(8, 18), (30, None)], 8),  # twelve hours in theatre
        ([(8, 17), (30, None)], 30),  # came back
        ([(8, None), (9, 10), (25, None)], 8),
        ([(20, None), (8, 20), (2, 8)], 2),  # in any order
        ([(5, 30), (6, 7), (31, None)], 5),
        ([(8, None), (50, None)], 8),  # not yet there
    ],
)
@pytest.mark.parametrize("look_back", [1, 12, 40])
def test_the_time_in_the_unit_does_not_depend_on_the_look_back(
    stints: list[tuple[float, float | None]], begin: float, look_back: float
) -> None:
    parts = [in_icu(*stint) for stint in stints]
    stay = only(hospital(period=period(1), location=parts), rule=IN_ICU, look_back=look_back)
    assert hour(stay["unit_begin"]) == begin


def test_without_a_time_it_is_the_first_time_in_the_unit_that_counts() -> None:
    parts = [in_icu(30, 31), in_icu(8, 9)]
    stay = only(hospital(period=period(3, 50), location=parts), rule=IN_ICU, as_of=None)
    assert (hour(stay["intime"]), hour(stay["unit_begin"])) == (8, 8)


def test_a_begin_that_is_only_a_date_is_unknown_although_the_stay_is_screened() -> None:
    stay = only(encounter(period={"start": "2026-01-01"}), as_of=60)
    assert (begins(stay)[0], stay["intime"] <= at(60)) == (None, True)
    joined = hospital(location=[{**in_icu(20), "period": {"start": "2026-01-01"}}, in_icu(30)])
    assert hour(only(joined, rule=IN_ICU)["unit_begin"]) is None


def wanted(server, **profile: Any):
    source = FhirEndpoint(server.url)
    changed = source.profile.model_copy(update=profile)
    endpoint = FhirEndpoint(server.url, profile=changed, retries=0)
    with FhirClient(endpoint) as client:
        return find(client, endpoint.icu, at(AS_OF - 24), at(AS_OF)).stays


def test_a_server_is_asked_once_for_all_the_hospital_encounters_that_are_missing(server, page) -> None:
    stays = [encounter(f"e{n}", part_of=f"h{n}") for n in range(3)]
    wholes = [hospital(f"h{n}", period=period(n)) for n in range(3)]
    server.answer = lambda request: page(*wholes) if "_id" in request.form else page(*stays, PATIENT)
    found = wanted(server)
    assert found["hospital_begin"].map(hour).tolist() == [0, 1, 2]
    assert [request.form["_id"] for request in server.requests if "_id" in request.form] == [["h0,h1,h2"]]


def test_a_hospital_encounter_that_was_asked_for_is_no_stay(server, page) -> None:
    whole = hospital(**{"class": {"code": "ACUTE"}})
    server.answer = lambda request: (
        page(whole) if "_id" in request.form else page(encounter(part_of="hospital"), PATIENT)
    )
    assert wanted(server)["stay_id"].tolist() == ["icu-stay"]


def test_a_hospital_encounter_that_came_with_the_stays_is_not_asked_for(server, page) -> None:
    server.answer = lambda _: page(encounter(part_of="hospital"), hospital(), PATIENT)
    assert wanted(server)["hospital_begin"].map(hour).tolist() == [3]
    assert not [request for request in server.requests if "_id" in request.form]


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_a_server_that_does_not_give_them_costs_the_begin_and_not_the_stay(server, page, reply, status: int) -> None:
    def answer(request):
        return reply(status=status) if "_id" in request.form else page(encounter(part_of="hospital"), PATIENT)

    server.answer = answer
    found = wanted(server)
    assert found["hospital_unknown"].tolist() == ["hospital_encounter_not_read"]
    assert found["hospital_begin"].isna().all()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"period": "always"}, "no_hospital_begin"),
        ({"status": ["finished"]}, "hospital_encounter_unusable"),
        ({"subject": "Patient/a"}, "hospital_encounter_unusable"),
        ({"partOf": [[["x"]]]}, "hospital_encounter_not_read"),
        ({"modifierExtension": 3}, "hospital_encounter_unusable"),
        ({"resourceType": "Patient"}, "hospital_encounter_not_read"),
        ({"id": 3}, "hospital_encounter_not_read"),
    ],
)
def test_an_odd_hospital_encounter_from_a_server_costs_its_begin_and_not_the_stay(
    server, page, changes: dict[str, Any], reason: str
) -> None:
    whole = hospital(**changes)
    server.answer = lambda request: (
        page(whole) if "_id" in request.form else page(encounter(part_of="hospital"), PATIENT)
    )
    assert [begins(stay) for _, stay in wanted(server).iterrows()] == [(10, None, reason)]


def test_hospital_encounters_are_asked_for_level_by_level(server, page) -> None:
    known = {"department": hospital("department", part_of="hospital", period=period(6)), "hospital": hospital()}
    server.answer = lambda request: (
        page(known[request.form["_id"][0]])
        if "_id" in request.form
        else page(encounter(part_of="department"), encounter("another"), PATIENT)
    )
    assert [begins(stay)[1] for _, stay in wanted(server).iterrows()] == [None, 3]
    asked = [request.form["_id"] for request in server.requests if "_id" in request.form]
    assert asked == [["department"], ["hospital"]]


def test_a_server_that_answers_with_nothing_is_not_asked_again(server, page) -> None:
    server.answer = lambda request: page() if "_id" in request.form else page(encounter(part_of="hospital"), PATIENT)
    assert wanted(server)["hospital_unknown"].tolist() == ["hospital_encounter_not_read"]
    assert len([request for request in server.requests if "_id" in request.form]) == 1


def test_a_server_that_is_gone_is_no_reason_to_guess(server, page, reply) -> None:
    gone = []

    def answer(request):
        if "_id" in request.form:
            gone.append(request)
        return reply(cut=True) if gone else page(encounter(part_of="hospital"), PATIENT)

    server.answer = answer
    with pytest.raises(FhirUnreachable):
        wanted(server)


def test_a_server_that_finds_encounters_by_patient_only_is_asked_for_each(server, page, reply) -> None:
    from wardround.sources.fhir.cohorts import find_for_patients

    def answer(request):
        if request.path.endswith("Encounter/hospital"):
            return reply(hospital())
        return page(encounter(part_of="hospital"), PATIENT)

    server.answer = answer
    profile = FhirEndpoint(server.url).profile.model_copy(update={"encounter_needs_patient": True, "has_batch": False})
    endpoint = FhirEndpoint(server.url, profile=profile)
    with FhirClient(endpoint) as client:
        found = find_for_patients(client, ["a"], endpoint.icu, at(AS_OF - 24), at(AS_OF)).stays
    assert found["hospital_begin"].map(hour).tolist() == [3]
