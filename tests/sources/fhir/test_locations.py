"""Tests which Locations are inside which, from files and from servers with and without that search."""

from typing import Any

import pytest

from wardround.errors import FhirError
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.sources.fhir.encounter_search import begin
from wardround.sources.fhir.locations import called, inside
from wardround.sources.fhir.stays import find
from wardround.spec.cohorts import Encounters
from wardround.spec.servers import GENERIC


def location(key: str, whole: str = "", **rest: Any) -> dict[str, Any]:
    part_of = {"partOf": {"reference": f"Location/{whole}"}} if whole else {}
    return {"resourceType": "Location", "id": key, **part_of, **rest}


def known(*locations: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in locations}


def test_a_bed_in_a_room_in_the_icu_is_in_the_icu() -> None:
    places = known(location("icu"), location("room", "icu"), location("bed", "room"), location("ward"))
    assert inside(places, ["icu"]) == {"icu": "icu", "room": "icu", "bed": "icu"}


def test_a_bed_belongs_to_the_nearest_of_two_units() -> None:
    places = known(location("centre"), location("icu", "centre"), location("bed", "icu"), location("ward", "centre"))
    assert inside(places, ["centre", "icu"]) == {"centre": "centre", "icu": "icu", "bed": "icu", "ward": "centre"}


def test_a_loop_ends_and_a_missing_parent_is_accepted() -> None:
    circle = known(location("icu", "bed"), location("room", "icu"), location("bed", "room"), location("lost", "gone"))
    assert set(inside(circle, ["icu"])) == {"icu", "room", "bed"}
    assert inside({}, ["icu"]) == {"icu": "icu"}


@pytest.mark.parametrize(
    "whole", [None, "Location/icu", {"reference": None}, {"reference": "https://elsewhere.org/fhir/Location/icu"}]
)
def test_what_is_no_reference_of_ours_leads_nowhere(whole: object) -> None:
    assert set(inside(known(location("icu"), {**location("bed"), "partOf": whole}), ["icu"])) == {"icu"}


@pytest.mark.parametrize("alias", [None, "MICU", [None, 3], {"a": 1}])
def test_a_name_of_another_shape_is_no_name(alias: object) -> None:
    places = known(location("icu", name=["MICU"], alias=alias), location("other", name="micu"))
    assert called(places, "MICU") == ["other"]


WARD = [location("icu", name="MICU"), location("room", "icu"), location("bed", "room"), location("away", "ward")]
ENCOUNTER = {
    "resourceType": "Encounter",
    "id": "e",
    "status": "in-progress",
    "class": {"code": "IMP"},
    "subject": {"reference": "Patient/a"},
    "period": {"start": "2026-03-09T03:00:00Z"},
    "location": [{"location": {"reference": "Location/bed"}}],
}


def answering(page):
    """Yields a server that holds the ward and finds Locations by id and, if requested, by partOf."""

    def answer(request):
        form = request.form
        if "Location" not in request.path:
            return page(ENCOUNTER) if "Encounter" in request.path else page()
        if "partof" in form:
            wanted = form["partof"][0].split(",")
            return page(*(one for one in WARD if one.get("partOf", {}).get("reference") in wanted))
        if "_id" in form:
            return page(*(one for one in WARD if one["id"] in form["_id"][0].split(",")))
        return page(WARD[0])

    return answer


def test_a_server_is_asked_for_the_parts_level_by_level_and_then_for_their_encounters(server, page) -> None:
    server.answer = answering(page)
    with FhirClient(FhirEndpoint(server.url)) as client:
        found = find(client, Encounters(locations=("MICU",)))
    assert found.stays[["stay_id", "unit"]].to_numpy().tolist() == [["e", "MICU"]]
    asked = [request.form["partof"] for request in server.requests if "partof" in request.form]
    assert asked == [["Location/icu"], ["Location/room"], ["Location/bed"]]
    (search,) = [request.form for request in server.requests if "Encounter" in request.path]
    assert search["location"] == ["Location/bed,Location/icu,Location/room"]


def test_a_server_without_search_by_part_is_asked_for_all_encounters_and_for_the_wholes_of_their_beds(
    server, page
) -> None:
    server.answer = answering(page)
    profile = GENERIC.model_copy(update={"has_location_parts": False, "has_include": False})
    with FhirClient(FhirEndpoint(server.url, profile=profile)) as client:
        found = find(client, Encounters(locations=("MICU",)))
    assert found.stays[["stay_id", "unit"]].to_numpy().tolist() == [["e", "MICU"]]
    assert not any("partof" in request.form or "location" in request.form for request in server.requests)


def test_a_server_that_ignores_the_search_by_part_gives_no_other_beds(server, page) -> None:
    server.answer = lambda request: page(*WARD) if "Location" in request.path else page(ENCOUNTER)
    with FhirClient(FhirEndpoint(server.url)) as client:
        _, rule = begin(client, Encounters(locations=("MICU",)))
        assert rule.locations == {"icu"}
        assert len(find(client, Encounters(locations=("MICU",))).stays) == 1
    (search,) = [request.form for request in server.requests if "Encounter" in request.path]
    assert search["location"] == ["Location/bed,Location/icu,Location/room"]


def test_locations_without_end_are_an_error_and_no_loop(server, page) -> None:
    def deeper(request):
        whole = request.form.get("partof", [""])[0]
        return page(location(f"{whole.removeprefix('Location/')}1", whole.removeprefix("Location/"), name="MICU"))

    server.answer = deeper
    with FhirClient(FhirEndpoint(server.url)) as client, pytest.raises(FhirError, match="more than 20 levels deep"):
        begin(client, Encounters(locations=("MICU",)))
