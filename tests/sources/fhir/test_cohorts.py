"""Tests which patients a Group, a List or a file names, and that only their stays are found."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from wardround.core.events import frame_of
from wardround.core.stays import EXCLUDED_COLUMNS, FOUND_STAY_COLUMNS, FoundStays
from wardround.errors import FhirError, SourceDataError
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.sources.fhir.cohorts import (
    find_for_patients,
    of_file,
    of_group,
    of_ids,
    of_list,
    only_of,
    unknown_among,
)
from wardround.spec.cohorts import Encounters

ICU = Encounters(classes=("ACUTE",))
START, AS_OF = datetime(2026, 1, 1, 5, tzinfo=UTC), datetime(2026, 1, 2, 5, tzinfo=UTC)
ODD_ENTRIES = [
    None, "Patient/x", 5, {}, {"REF": None}, {"REF": "Patient/x"}, {"REF": {"reference": "Device/x"}},
    {"REF": {"reference": "Patient/x", "type": "Group"}},
]  # fmt: skip
ELSEWHERE = {"reference": "https://elsewhere.org/fhir/Patient/x"}


@pytest.fixture
def client(server):
    with FhirClient(FhirEndpoint(server.url, patients_per_search=2)) as client:
        yield client


def entries(reference: str, ended: str, *odd: Any) -> list[Any]:
    """Two patients, the first again; one who left; one who left and came back; then entries that are no patients."""
    return [
        {reference: {"reference": "Patient/a"}},
        {reference: {"reference": "Patient/b", "type": "Patient"}, ended: False},
        {reference: {"reference": "Patient/a"}},
        {reference: {"reference": "Patient/gone"}, ended: True},
        {reference: {"reference": "Patient/back"}, ended: True},
        {reference: {"reference": "Patient/back"}},
        {reference: ELSEWHERE},
        *[{reference: one["REF"]} if isinstance(one, dict) and "REF" in one else one for one in odd],
    ]


def kind_of(request: Any) -> str:
    """The type of the resource that is read."""
    return str(request.path).split("/")[-2]


NAMED = [("a", ""), ("b", ""), ("gone", "inactive_member"), ("back", ""), ("", "foreign_reference")]


def test_a_group_names_its_members_each_once_and_sets_aside_every_other_entry(client, server, reply) -> None:
    group = {"resourceType": "Group", "actual": True, "member": entries("entity", "inactive", *ODD_ENTRIES)}
    server.answer = lambda _request: reply(group)
    assert of_group(client, "g") == [*NAMED, *[("", "not_a_patient")] * len(ODD_ENTRIES)]
    assert [request.path for request in server.requests] == ["/fhir/Group/g"]


def test_a_list_names_its_entries_in_the_same_way(client, server, reply) -> None:
    server.answer = lambda _request: reply(
        {"resourceType": "List", "status": "current", "entry": entries("item", "deleted", *ODD_ENTRIES)}
    )
    assert of_list(client, "l") == [*NAMED, *[("", "not_a_patient")] * len(ODD_ENTRIES)]
    assert [request.path for request in server.requests] == ["/fhir/List/l"]


@pytest.mark.parametrize("nobody", [None, [], {}, "none", 5])
def test_an_empty_group_or_list_names_nobody(client, server, reply, nobody: Any) -> None:
    server.answer = lambda request: reply({"resourceType": kind_of(request), "member": nobody, "entry": nobody})
    assert (of_group(client, "g"), of_list(client, "l")) == ([], [])


def test_members_under_the_servers_own_url_are_ours(client, server, reply) -> None:
    ours = {"reference": f"{server.url}/Patient/a/_history/3"}
    listed = {"member": [{"entity": ours}], "entry": [{"item": ours}]}
    server.answer = lambda request: reply({"resourceType": kind_of(request), **listed})
    assert of_group(client, "g") == of_list(client, "l") == [("a", "")]


def test_a_group_that_describes_patients_is_refused(client, server, reply) -> None:
    server.answer = lambda _request: reply({"resourceType": "Group", "actual": False})
    with pytest.raises(FhirError, match=rf"{server.url}/Group/g: only describes patients \(actual is false\)"):
        of_group(client, "g")


def test_a_list_entered_in_error_is_refused_by_its_address(client, server, reply) -> None:
    server.answer = lambda _request: reply({"resourceType": "List", "status": "entered-in-error"})
    with pytest.raises(FhirError, match=f"{server.url}/List/l: was entered in error"):
        of_list(client, "l")


@pytest.mark.parametrize(("quantity", "asks"), [(2, False), (1, False), (None, False), ("9", False), (3, True)])
def test_a_group_that_counts_more_members_than_it_lists_is_searched(
    client, server, reply, page, quantity: Any, asks: bool
) -> None:
    members = [{"entity": {"reference": f"Patient/{key}"}} for key in "ab"]
    group = {"resourceType": "Group", "quantity": quantity, "member": members}
    found = [{"resourceType": "Patient", "id": key} for key in ("a", "b", "a", None)]
    server.answer = lambda request: page(*found) if "_search" in request.path else reply(group)
    named = of_group(client, "g")
    if asks:
        assert server.requests[-1].path == "/fhir/Patient/_search"
        assert named == [("a", ""), ("b", ""), ("", "not_an_id")]
        assert {key: server.requests[-1].form[key] for key in ("_has:Group:member:_id", "_elements")} == {
            "_has:Group:member:_id": ["g"],
            "_elements": ["id"],
        }
    else:
        assert named == [("a", ""), ("b", "")]
        assert len(server.requests) == 1


@pytest.mark.parametrize("found", ["ab", "abcd"])
def test_a_group_of_which_more_or_fewer_are_found_than_it_counts_is_an_error(
    client, server, reply, page, found
) -> None:
    patients = [{"resourceType": "Patient", "id": key} for key in found]
    group = {"resourceType": "Group", "quantity": 3}
    server.answer = lambda request: page(*patients) if "_search" in request.path else reply(group)
    with pytest.raises(FhirError, match=f"Group/g: states 3 members, lists 0 and returns {len(found)} in a search"):
        of_group(client, "g")


def test_a_file_names_each_id_once_and_sets_aside_what_is_none(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("patient_id,other\nPatient/a,x\nb,y\na,z\nno id,w\nPatient/,v\n")
    path = str(tmp_path / "ids.csv")
    assert of_file(path, None) == [("a", ""), ("b", ""), ("", "not_an_id"), ("", "not_an_id")]
    assert [one.patient_id for one in of_file(path, "other")] == ["x", "y", "z", "w", "v"]


def test_a_file_without_an_id_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("no id\n")
    with pytest.raises(SourceDataError, match=r"ids\.txt: contains no Patient id"):
        of_file(str(tmp_path / "ids.txt"), None)


def test_ids_are_named_once_and_their_repetitions_counted() -> None:
    again = ("", "named_again")
    assert of_ids(["a", "b", "a", "c", "a"]) == [("a", ""), ("b", ""), ("c", ""), again, again]
    assert of_ids(["a"]) == [("a", "")]


def test_those_that_the_server_does_not_have_are_unknown(client, server, page) -> None:
    there = {"a", "c"}
    server.answer = lambda request: page(
        *({"resourceType": "Patient", "id": key} for key in request.form["_id"][0].split(",") if key in there)
    )
    assert unknown_among(client, ["a", "b", "c", "d", "e"]) == {"b", "d", "e"}
    assert [request.form["_id"][0] for request in server.requests] == ["a,b", "c,d", "e"]
    assert {request.form["_elements"][0] for request in server.requests} == {"id"}
    assert {request.path for request in server.requests} == {"/fhir/Patient/_search"}
    assert unknown_among(client, []) == set()


def encounter(key: str, patient: str | None) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": key,
        "status": "in-progress",
        "class": {"code": "ACUTE"},
        "period": {"start": "2026-01-01T06:00:00Z"},
        "subject": {"reference": f"Patient/{patient}"} if patient else {},
    }


def test_stays_are_asked_for_some_patients_at_a_time_and_taken_of_those_alone(client, server, page) -> None:
    """Returns the answer of a server that ignores which patients were requested."""
    patients = [{"resourceType": "Patient", "id": key, "birthDate": "1960-01-01"} for key in "abcz"]
    everybody = [encounter("e-a", "a"), encounter("e-b", "b"), encounter("e-c", "c"), encounter("e-z", "z")]
    unusable = [encounter("e-nobody", None), {**encounter("e-late", "a"), "period": {"start": "2026-01-03T00:00:00Z"}}]
    other = {**encounter("e-visit", "b"), "class": {"code": "AMB"}}
    past = {"start": "2025-12-01T00:00:00Z", "end": "2026-01-01T04:59:59Z"}
    over = {**encounter("e-over", "c"), "status": "finished", "period": past}
    server.answer = lambda _request: page(*everybody, *unusable, other, over, *patients)
    found = find_for_patients(client, ["a", "b", "c"], ICU, START, AS_OF)
    assert dict(zip(found.stays["stay_id"], found.stays["patient_id"], strict=True)) == {
        "e-a": "a", "e-b": "b", "e-c": "c",
    }  # fmt: skip
    assert found.stays.index.tolist() == [0, 1, 2]
    assert found.set_aside.empty, "an Encounter of nobody is not one of these patients'"
    asked = [request.form for request in server.requests if request.path.endswith("/Encounter/_search")]
    assert sorted({form["patient"][0] for form in asked}) == ["a,b", "c"]
    # A server may take a date to be in any zone.
    dates = {value[:12] for form in asked for value in form.get("date", [])}
    assert dates == {"ge2025-12-31", "le2026-01-03"}


def test_of_stays_and_of_what_is_set_aside_those_of_the_patients_are_taken() -> None:
    stays = frame_of(FOUND_STAY_COLUMNS, [{"stay_id": f"e-{key}", "patient_id": key} for key in "zab"])
    aside = frame_of(EXCLUDED_COLUMNS, [{"stay_id": f"x-{key}", "patient_id": key, "reason": "r"} for key in "bz"])
    found = only_of(iter(["a", "b", "nobody"]), FoundStays(stays, aside))
    for frame, columns in ((found.stays, FOUND_STAY_COLUMNS), (found.set_aside, EXCLUDED_COLUMNS)):
        assert list(frame) == list(columns)
    assert (found.stays["stay_id"].tolist(), found.stays.index.tolist()) == (["e-a", "e-b"], [0, 1])
    assert (found.set_aside["stay_id"].tolist(), found.set_aside.index.tolist()) == (["x-b"], [0])
