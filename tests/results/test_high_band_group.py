"""The Group of the patients in the high band: what it says, and what may take its place."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wardround.results.fhir_validity import check_structure
from wardround.results.high_band_group import (
    GROUP_SYSTEM,
    SUPERSEDED_SYSTEM,
    Kept,
    decide,
    group,
    group_identity,
    is_as_of,
    superseded,
    without,
)
from wardround.results.referring import literal, logical
from wardround.results.risk_assessment import Screening
from wardround.spec.loading import load_condition

AS_OF = datetime(2026, 1, 2, 5, tzinfo=UTC)


@pytest.fixture
def screening(schemas) -> Screening:
    return Screening("http://server/fhir", load_condition("sepsis", schemas), "1.0.0-abc", "0.1.0", AS_OF)


def of(screening: Screening, *patients: str, **changes: Any) -> dict[str, Any]:
    return group([literal(f"Patient/{patient}") for patient in patients], replace(screening, **changes))


def at_server(resource: dict[str, Any], key: str = "g1", **changes: Any) -> dict[str, Any]:
    return {**resource, "id": key, "meta": {"versionId": "3"}, **changes}


def listed(resource: dict[str, Any]) -> list[str]:
    return [member["entity"]["reference"] for member in resource.get("member", [])]


def test_it_lists_each_patient_once_and_says_of_which_model_and_when(screening: Screening) -> None:
    made = of(screening, "b", "a", "b")
    check_structure(made)
    assert (listed(made), made["quantity"]) == (["Patient/a", "Patient/b"], 2)
    (trait,) = made["characteristic"]
    assert trait["period"] == {"start": "2026-01-02T05:00:00Z", "end": "2026-01-02T05:00:00Z"}
    assert trait["code"]["coding"][0]["version"] == "1.0.0-abc"
    assert trait["valueCodeableConcept"]["coding"][0]["code"] == "high"
    assert (made["actual"], made["type"], made["active"]) == (True, "person", True)


def test_an_empty_high_band_is_a_group_without_members_and_no_empty_list(screening: Screening) -> None:
    made = of(screening)
    check_structure(made)
    assert ("member" in made, made["quantity"]) == (False, 0)


def test_its_identity_is_that_of_condition_and_source_whatever_the_time_and_model(screening: Screening) -> None:
    (identifier,) = of(screening, "a")["identifier"]
    assert identifier["system"] == GROUP_SYSTEM
    later = of(screening, as_of=AS_OF + timedelta(hours=1), model_version="2.0.0-x")
    assert later["identifier"] == [identifier]
    values = {group_identity(url, condition) for url in ("http://a/", "http://b") for condition in ("sepsis", "other")}
    assert len(values) == 4
    assert group_identity("http://a/", "sepsis") == group_identity("http://a", "sepsis")


def test_the_members_of_a_later_time_take_its_place_under_the_id_that_it_has(screening: Screening) -> None:
    held = at_server(of(screening, "a"), text={"div": "told of a"}, managingEntity={"reference": "Organization/o"})
    wanted = of(screening, "b", as_of=AS_OF + timedelta(hours=1))
    (change,), kept = decide(wanted, [held])
    assert (kept, change["id"], change["meta"], listed(change)) == (
        Kept.WRITTEN,
        "g1",
        {"versionId": "3"},
        ["Patient/b"],
    )
    assert (change["managingEntity"], "text" in change) == ({"reference": "Organization/o"}, False)
    emptied = decide(of(screening, as_of=AS_OF + timedelta(hours=1)), [held]).changes[0]
    assert (listed(emptied), emptied["quantity"]) == ([], 0)


def test_an_earlier_time_never_takes_the_place_of_a_later_one(screening: Screening) -> None:
    held = at_server(of(screening, "a"))
    assert decide(of(screening, "b", as_of=AS_OF - timedelta(seconds=1)), [held]) == ((), Kept.NEWER)


def test_the_same_again_is_left_alone_however_the_server_writes_it(screening: Screening) -> None:
    wanted = of(screening, "a", "b")
    held = at_server(of(screening, "b", "a"))
    held["member"].reverse()
    held["characteristic"][0]["period"]["start"] = "2026-01-02T06:00:00+01:00"
    assert decide(wanted, [held]) == ((), Kept.UNCHANGED)
    for change in ({"active": False}, {"quantity": 3}, {"member": [{**held["member"][0], "inactive": True}]}):
        assert decide(wanted, [{**held, **change}]).kept == Kept.WRITTEN
    assert decide(of(screening, "a", "b", model_version="2"), [held]).kept == Kept.WRITTEN


@pytest.mark.parametrize(
    "odd",
    [
        {"characteristic": None},
        {"characteristic": ["x"]},
        {"characteristic": [{"code": {"coding": "x"}}]},
        {"characteristic": [{"code": {"coding": []}, "period": "x"}]},
        {"member": "x", "identifier": "x"},
        {"member": [None, {"entity": "x"}]},
    ],
)
def test_a_group_that_nobody_can_read_is_written_anew(screening: Screening, odd: dict[str, Any]) -> None:
    held = at_server(of(screening, "a"), **odd)
    wanted = of(screening, "b")
    (change,), kept = decide(wanted, [held])
    assert (kept, {**wanted, **change}) == (Kept.WRITTEN, change)
    assert decide(wanted, [at_server(of(screening, "a"), "a0"), held]).kept == Kept.WRITTEN


@pytest.mark.parametrize("time", ["2027", "2027-01-01T00:00:00", "x", 7, None])
def test_a_time_that_cannot_be_compared_keeps_nobody_out(screening: Screening, time: object) -> None:
    held = at_server(of(screening, "a"))
    held["characteristic"][0]["period"]["start"] = time
    assert decide(of(screening, "a"), [held]).kept == Kept.WRITTEN


def test_of_several_the_first_id_stays_and_the_others_are_emptied(screening: Screening) -> None:
    wanted = of(screening, "a")
    first, second = at_server(wanted, "g1"), at_server(of(screening, "b"), "g2")
    (double,), kept = decide(wanted, [second, first])
    assert (kept, double["id"], listed(double), double["active"]) == (Kept.WRITTEN, "g2", [], False)
    assert double["identifier"][0]["system"] == SUPERSEDED_SYSTEM
    assert superseded({"id": "x", "identifier": "x"})["identifier"] == []
    later = at_server(of(screening, as_of=AS_OF + timedelta(hours=1)), "g3")
    assert decide(wanted, [first, later]).kept == Kept.NEWER


def test_patients_are_taken_out_by_whatever_names_them(screening: Screening) -> None:
    named = logical("Patient/b", "http://server/fhir")
    held = at_server(group([literal("Patient/a"), named, literal("Patient/c")], screening))
    rest = without(held, [literal("Patient/a"), named])
    assert (listed(rest), rest["quantity"], rest["id"]) == (["Patient/c"], 1, "g1")
    assert "member" not in without(rest, [literal("Patient/c")])
    assert is_as_of(held, AS_OF)
    assert not is_as_of(held, AS_OF + timedelta(hours=1))
