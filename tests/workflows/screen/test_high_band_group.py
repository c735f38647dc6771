"""The Group of the patients in the high band follows each live run of the whole cohort, and nothing else."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.workflows.screen.somebody_else import change

from wardround.adapters.files.run_folder import RunFolder
from wardround.adapters.models.store import ModelStore
from wardround.demo.fhir_server.running import running_server
from wardround.errors import FhirError, RunIncomplete
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.results.high_band_group import SUPERSEDED_SYSTEM
from wardround.settings import Settings
from wardround.spec.servers import GENERIC
from wardround.workflows.retract import retract
from wardround.workflows.screen import (
    Means,
    ScreeningRequest,
    reconcile,
    require_complete,
    screen,
    servers_in,
)
from wardround.workflows.suspension import suspend

HIGH, LOW = 7.0, 0.5  # lactates that the test model calls so
EARLIER, NOW, LATER = (f"2026-01-02T0{hour}:00:00Z" for hour in (4, 5, 6))
AT = datetime(2026, 1, 2, 9, tzinfo=UTC)


@pytest.fixture
def ward(icu, server: str) -> Any:
    for name, lactate in (("a", HIGH), ("b", LOW), ("c", HIGH)):
        icu.stay(name, lactate=lactate)
    icu.upload(server)
    return icu


@pytest.fixture
def run(screened, keeping: Settings) -> Callable[..., dict[str, Any]]:
    """run(as_of, …) screens with the Group, and gives the summary."""

    def at(as_of: str = NOW, **asked: Any) -> dict[str, Any]:
        return screened(installed=keeping, as_of=as_of, **asked)

    return at


@pytest.fixture
def group(held) -> Callable[[], dict[str, Any] | None]:
    """The one Group that the server holds; None without any."""

    def found() -> dict[str, Any] | None:
        groups = held("Group")
        assert len(groups) <= 1
        return groups[0] if groups else None

    return found


def members(group: dict[str, Any] | None) -> list[str]:
    assert group is not None
    return [member["entity"]["reference"] for member in group.get("member", [])]


@pytest.mark.parametrize("at_once", [1, 500])
def test_it_lists_who_is_high_keeps_its_id_and_is_left_alone_by_the_same_again(
    ward, server, run, group, keeping, monkeypatch, at_once: int
) -> None:
    monkeypatch.setattr("wardround.workflows.screen.high_band_group.AT_ONCE", at_once)
    first = run()
    made = group()
    assert (members(made), made["quantity"]) == (["Patient/p-a", "Patient/p-c"], 2)
    account = {"kept": "written", "why": "", "reference": f"Group/{made['id']}", "members": 2}
    assert (first["high_band"], first["complete"]) == (account, True)
    page = RunFolder.existing(keeping.runs, first["run"]).read_text("report.html")
    assert f"Group/{made['id']}, patients listed: 2" in page
    assert run()["high_band"] == {**account, "kept": "unchanged"}
    assert group() == made
    ward.lactate("p-b", "late", HIGH, hours=-0.5)
    ward.upload(server)
    run(LATER)
    assert (members(group()), group()["id"]) == (["Patient/p-a", "Patient/p-b", "Patient/p-c"], made["id"])


def test_it_is_a_cohort_that_others_screen_and_such_a_run_leaves_it_alone(ward, run, group) -> None:
    key = run()["high_band"]["reference"].replace("Group/", "group:")
    made = group()
    summary = run(LATER, cohort=key)
    assert (summary["found"], summary["cohort_patients"], summary["high_band"]) == (2, 2, None)
    assert group() == made


def test_nobody_high_leaves_it_empty_and_not_as_it_was(ward, server, run, group) -> None:
    run()
    for name in ("a", "c"):
        ward.lactate(f"p-{name}", "lactate", LOW, hours=2.3)
    ward.upload(server)
    assert run(LATER)["high_band"]["members"] == 0
    assert (members(group()), group()["quantity"]) == ([], 0)
    # An empty ward has nobody high either.
    for one in ward.resources:
        if one["resourceType"] == "Encounter":
            change(server, one, status="finished", period={**one["period"], "end": "2026-01-03T05:00:00Z"})
    summary = run("2026-03-02T05:00:00Z", accept_census=True)
    assert (summary["found"], summary["high_band"]["kept"]) == (0, "written")
    assert group()["characteristic"][0]["period"]["start"] == "2026-03-02T05:00:00Z"


def test_an_earlier_time_that_is_screened_later_leaves_the_members_of_now(ward, run, group, keeping) -> None:
    run()
    made = group()
    summary = run(EARLIER)
    assert summary["high_band"]["kept"] == "newer"
    assert group() == made
    page = RunFolder.existing(keeping.runs, summary["run"]).read_text("report.html")
    assert f"Group/{made['id']}, not changed: it lists the high band of a later time" in page


@pytest.mark.parametrize("asked", [{"mode": "shadow"}, {"look_back": "1h"}])
def test_a_run_that_writes_nothing_or_of_another_cohort_keeps_none(ward, run, group, asked: dict[str, Any]) -> None:
    assert run(**asked)["high_band"] is None
    assert group() is None


def test_a_condition_that_does_not_ask_for_it_keeps_none(ward, screened, group) -> None:
    assert screened()["high_band"] is None
    assert group() is None


def test_a_result_that_a_person_took_back_puts_nobody_into_it(ward, server, run, group, held, keeping) -> None:
    summary = run()
    risk = next(risk for risk in held("RiskAssessment") if risk["subject"]["reference"] == "Patient/p-a")
    change(server, risk, status="entered-in-error")
    with FhirClient(FhirEndpoint(server)) as client:
        reconcile(summary["run"], client, keeping)
    assert members(group()) == ["Patient/p-c"]


def test_a_condition_that_is_switched_off_before_it_leaves_it_as_it_was(
    ward, server, screened, group, keeping, tmp_path
) -> None:
    shutil.copytree(keeping.models, tmp_path / "models")
    keeping = replace(keeping, models=tmp_path / "models")
    summary = screened(installed=keeping)
    change(server, group(), member=[], quantity=0)
    before = group()
    suspend("sepsis", by="ann", why="wrong alerts", settings=keeping)
    with FhirClient(FhirEndpoint(server)) as client:
        assert reconcile(summary["run"], client, keeping).as_json()["high_band"]["kept"] == "suspended"
    assert group() == before
    assert ModelStore(keeping.models).standing("sepsis").suspended


def test_a_run_that_is_taken_back_empties_it_and_the_next_run_fills_it(ward, server, run, group, keeping) -> None:
    first, last = run(EARLIER), run()
    with FhirClient(FhirEndpoint(server)) as client:
        retract(first["run"], client, keeping, "wrong", AT)
        assert members(group()) == ["Patient/p-a", "Patient/p-c"], "the members are of a later run"
        retract(last["run"], client, keeping, "wrong", AT)
        assert (members(group()), group()["quantity"]) == ([], 0)
        assert group()["characteristic"][0]["period"]["start"] == NOW
        assert reconcile(last["run"], client, keeping).as_json()["high_band"] is None
    assert run()["high_band"]["members"] == 2


def test_who_has_another_result_that_stands_stays_in_it(ward, server, run, group, keeping) -> None:
    first = run()
    ward.lactate("p-a", "late", 6.0, hours=0.1)
    ward.lactate("p-a", "later", 9.0, hours=0.05)
    ward.upload(server)
    run()
    with FhirClient(FhirEndpoint(server)) as client:
        taken = retract(first["run"], client, keeping, "wrong", AT).as_json()
    assert (taken["retracted"], taken["superseded"]) == (2, 1)
    assert members(group()) == ["Patient/p-a"]


def test_several_of_one_identifier_become_one(ward, server, run, held) -> None:
    first = run()["high_band"]["reference"]
    (made,) = held("Group")
    change(server, made, id="zz-copy")
    assert run(LATER)["high_band"] == {"kept": "written", "why": "", "reference": first, "members": 2}
    copy = next(one for one in held("Group") if one["id"] == "zz-copy")
    assert (copy["active"], copy["quantity"], "member" in copy) == (False, 0, False)
    assert copy["identifier"][0]["system"] == SUPERSEDED_SYSTEM
    assert run(LATER)["high_band"]["kept"] == "unchanged"


def test_a_second_writer_is_met_with_another_look(ward, server, run, group, transport) -> None:
    run()
    met = []

    def other(body: str) -> None:
        if '"resourceType":"Group"' in body and not met:
            met.append(body)
            change(server, group(), name="changed meanwhile")

    transport.refuse = lambda body: other(body)
    assert run(LATER)["high_band"]["kept"] == "written"
    assert met
    assert group()["characteristic"][0]["period"]["start"] == LATER


@pytest.mark.parametrize("lacking", ["has_conditional_update", "has_conditional_create"])
def test_a_server_without_conditional_writes_holds_one_too(ward, server, keeping, group, lacking: str) -> None:
    profile = GENERIC.model_copy(update={"has_conditional_update": False, lacking: False})
    means = Means(FhirEndpoint(server, profile=profile), keeping, lambda *_: None)
    for as_of in (NOW, LATER):
        request = ScreeningRequest(condition="sepsis", source_url=server, as_of=as_of)
        assert screen(request, means).as_json()["high_band"]["kept"] == "written"
    assert members(group()) == ["Patient/p-a", "Patient/p-c"]


def test_two_runs_at_once_leave_one_of_the_later_time(ward, server, keeping, group) -> None:
    profile = GENERIC.model_copy(update={"has_conditional_update": False, "has_conditional_create": False})
    means = Means(FhirEndpoint(server, profile=profile), keeping, lambda *_: None)
    requests = [ScreeningRequest(condition="sepsis", source_url=server, as_of=as_of) for as_of in (NOW, LATER)]
    with ThreadPoolExecutor(2) as pool:
        kept = {
            summary["high_band"]["kept"] for summary in pool.map(lambda asked: screen(asked, means).as_json(), requests)
        }
    assert kept <= {"written", "newer"}
    assert group()["characteristic"][0]["period"]["start"] == LATER


def test_a_server_that_takes_no_group_makes_the_run_incomplete_and_says_why(
    ward, server, run, group, transport, keeping
) -> None:
    transport.rewrite = lambda body: body.replace('"resourceType":"Group"', '"resourceType":"Group","mood":1')
    summary = run()
    assert (summary["written"], summary["complete"]) == (3, False)
    assert (summary["high_band"]["kept"], summary["high_band"]["why"][:1]) == ("refused", "4")
    with pytest.raises(RunIncomplete, match="did not accept the Group of the high band"):
        require_complete(summary["run"], keeping)
    transport.rewrite = None
    assert run()["high_band"]["kept"] == "written"
    transport.rewrite = lambda body: body.replace('"resourceType":"Group"', '"resourceType":"Group","mood":1')
    with FhirClient(FhirEndpoint(server), transport) as client, pytest.raises(FhirError, match="still lists patients"):
        retract(summary["run"], client, keeping, "wrong", AT)
    transport.rewrite = None
    with FhirClient(FhirEndpoint(server)) as client:
        assert retract(summary["run"], client, keeping, "wrong", AT).as_json()["complete"]
    assert members(group()) == []


def test_a_server_that_cannot_search_groups_is_told_of_and_costs_no_result(ward, run, transport, held) -> None:
    transport.refuse = lambda body: 403 if "high-band" in body else None
    summary = run()
    assert (summary["high_band"]["kept"], summary["high_band"]["why"]) == ("refused", "FhirRefused")
    assert len(held("RiskAssessment")) == 3


@pytest.fixture
def elsewhere() -> Iterator[str]:
    with running_server() as running:
        yield running.base_url


def test_where_results_lie_elsewhere_it_lies_with_them_and_names_the_same_patients(
    ward, server, keeping, elsewhere, held_at
) -> None:
    source = FhirEndpoint(server, write_to=FhirEndpoint(elsewhere))
    request = {"condition": "sepsis", "as_of": NOW, **servers_in(source)}
    summary = screen(ScreeningRequest.model_validate(request), Means(source, keeping, lambda *_: None)).as_json()
    (made,) = held_at(elsewhere, "Group")
    named = sorted(member["entity"]["identifier"]["value"] for member in made["member"])
    assert (named, summary["high_band"]["members"], held_at(server, "Group")) == (["p-a", "p-c"], 2, [])
    with FhirClient(source) as client:
        retract(summary["run"], client.results, keeping, "wrong", AT)
    assert held_at(elsewhere, "Group")[0]["quantity"] == 0
    assert RunFolder.existing(keeping.runs, summary["run"]).read_json("steps/high_band.json")["http_requests"] > 1
