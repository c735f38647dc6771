"""What an Encounter says as an ADT message, read by the product's own reader."""

from datetime import UTC, datetime
from typing import Any

import pytest

from wardround.hl7.reader import Hl7Message, read
from wardround.spec.stream import StreamSource
from wardround.stream.subscriptions.encounter_message import NoNumber, encounter_message

SOURCE = StreamSource.model_validate(
    {
        "fhir": "https://ehr.example.org/fhir",
        "time_zone": "UTC",
        "patients": [{"system": "urn:mrn", "namespace": "HOSP"}, {"system": "urn:old", "universal_id": "1.2.3"}],
        "visits": {"system": "urn:visit", "universal_id": "1.2.9"},
        "units": ["MICU", "Location/sicu"],
    }
)
PATIENT = {"resourceType": "Patient", "id": "p1", "identifier": [{"system": "urn:mrn", "value": "4|7"}]}


def encounter(key: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": key,
        "meta": {"lastUpdated": "2026-03-10T08:00:00.250+01:00"},
        "status": "in-progress",
        "class": {"code": "IMP"},
        "period": {"start": "2026-03-10T06:00:00Z"},
        **more,
    }


def at(display: str, **more: Any) -> dict[str, Any]:
    return {"location": {"reference": f"Location/{display.lower()}", "display": display}, **more}


VISIT = encounter("v1", identifier=[{"system": "urn:visit", "value": "V1"}], location=[at("ED")])


def said(visit: dict[str, Any], *parts: dict[str, Any], patient: dict[str, Any] = PATIENT) -> Hl7Message:
    return read(encounter_message(visit, parts, patient, SOURCE))


def value(message: Hl7Message, name: str, field: int, component: int = 1, subcomponent: int = 1) -> str:
    (segment,) = [one for one in message.segments() if one.name == name]
    return segment.value(field, component, subcomponent)


def test_numbers_are_those_of_the_sources_authorities_as_messages_name_them() -> None:
    message = said(VISIT)
    assert [value(message, "PID", 3, n) for n in (1, 4, 5)] == ["4|7", "HOSP", "MR"]
    assert (value(message, "PV1", 19), value(message, "PV1", 19, 4, 2)) == ("V1", "1.2.9")
    other = said(VISIT, patient={"identifier": [{"system": "urn:old", "value": "9"}]})
    assert (value(other, "PID", 3), value(other, "PID", 3, 4, 2)) == ("9", "1.2.3")


def test_an_old_number_and_one_of_nobody_are_no_numbers() -> None:
    for identifiers in ([], [{"system": "urn:mrn", "value": "1", "use": "old"}], [{"value": "1"}]):
        with pytest.raises(NoNumber):
            said(VISIT, patient={"identifier": identifiers})


def test_a_visit_without_a_number_has_the_servers_own_id() -> None:
    assert value(said({**VISIT, "identifier": []}), "PV1", 19) == "Encounter/v1"


@pytest.mark.parametrize(
    ("status", "event"),
    [("planned", "A05"), ("finished", "A03"), ("cancelled", "A11"), ("entered-in-error", "A11"), ("unknown", "A31")],
)
def test_a_status_is_an_event(status: str, event: str) -> None:
    message = said({**VISIT, "status": status})
    assert (message.event, value(message, "EVN", 1)) == (event, event)


def test_the_visit_lies_where_its_latest_part_in_progress_lies() -> None:
    unit = encounter("u1", location=[at("MICU")], period={"start": "2026-03-10T06:30:00Z"})
    left = encounter("u0", location=[at("SICU")], period={"start": "2026-03-10T06:45:00Z"}, status="finished")
    message = said(VISIT, left, unit)
    assert (message.event, value(message, "PV1", 3), value(message, "PV1", 19)) == ("A01", "MICU", "V1")


def test_of_several_places_the_last_one_that_goes_on_counts_by_the_name_that_the_settings_have() -> None:
    places = [
        at("ED", period={"start": "2026-03-10T06:00:00Z", "end": "2026-03-10T06:30:00Z"}),
        at("SICU", period={"start": "2026-03-10T06:30:00Z"}),
        at("MICU", status="planned", period={"start": "2026-03-10T09:00:00Z"}),
    ]
    assert value(said({**VISIT, "location": places}), "PV1", 3) == "Location/sicu"


def test_who_has_been_there_for_longer_than_a_day_is_corrected_and_not_admitted() -> None:
    start = {"start": "2026-03-08T06:00:00Z"}
    assert said({**VISIT, "location": [at("MICU", period=start)]}).event == "A08"
    assert said({**VISIT, "period": {}}).event == "A08"


@pytest.mark.parametrize(("code", "table"), [("IMP", "I"), ("ACUTE", "I"), ("EMER", "E"), ("AMB", "O"), ("HH", "HH")])
def test_a_class_is_that_of_table_0004_or_the_servers_own(code: str, table: str) -> None:
    assert value(said({**VISIT, "class": {"code": code}}), "PV1", 2) == table


def test_it_happened_when_the_server_last_changed_it() -> None:
    message = said(VISIT)
    assert value(message, "EVN", 2) == "20260310070000.250+0000"
    assert datetime.strptime(value(message, "MSH", 7), "%Y%m%d%H%M%S.%f%z") == datetime(
        2026, 3, 10, 7, 0, 0, 250_000, UTC
    )


def test_a_source_whose_messages_have_another_charset_and_field_gets_them_so() -> None:
    source = SOURCE.model_copy(update={"charset": "8859/1", "visit_fields": ("PID-18", "PV1-19")})
    visit = {**VISIT, "location": [at("Überwachung")]}
    message = read(encounter_message(visit, (), PATIENT, source))
    assert (value(message, "PV1", 3), value(message, "PID", 18), value(message, "PV1", 19)) == ("Überwachung", "V1", "")


def test_a_number_that_the_sources_character_set_cannot_write_becomes_no_other_number() -> None:
    ascii_only = SOURCE.model_copy(update={"charset": "ASCII"})
    patient = {"identifier": [{"system": "urn:mrn", "value": "Ä12"}]}
    with pytest.raises(NoNumber):
        encounter_message(VISIT, (), patient, ascii_only)
    elsewhere = encounter("v1", location=[at("Überwachung")])
    assert read(encounter_message(elsewhere, (), PATIENT, ascii_only)).value("PV1", 3) == "?berwachung"
