"""Silence is not health: a run that finds far fewer stays than it should screens them, and then ends as implausible."""

import json
from pathlib import Path
from typing import Any

import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.errors import CensusImplausible
from wardround.fhir.endpoint import FhirEndpoint
from wardround.workflows.screen import Means, ScreeningRequest, require_complete, screen

HOURS = "2026-01-02T05:00:00Z", "2026-01-02T06:00:00Z", "2026-01-02T07:00:00Z", "2026-01-02T08:00:00Z"


@pytest.fixture
def ward(icu, server) -> Any:
    """Eight stays: seven with the ordinary class, one with another."""
    for place in range(7):
        icu.stay(f"s{place}")
    icu.stay("odd", **{"class": {"code": "IMP"}})
    icu.upload(server)
    return icu


@pytest.fixture
def run(server, settings):
    """run(as_of, icu_classes, ...) screens in shadow and gives the summary."""

    def one(as_of: str, *icu_classes: str, **changes: Any) -> dict[str, Any]:
        source = FhirEndpoint(server, icu_classes=icu_classes or ("ACUTE",))
        asked = {"condition": "sepsis", "source_url": server, "as_of": as_of, "mode": "shadow", **changes}
        return screen(ScreeningRequest.model_validate(asked), Means(source, settings, lambda *_: None)).as_json()

    return one


def census(summary: dict[str, Any]) -> tuple[int, str, int | None]:
    """How many stays were found, what is in doubt, and how many the run before found."""
    told, before = summary["census"], summary["census"]["before"]
    return told["found"], told["doubt"], before and before["found"]


@pytest.mark.parametrize("cohort", ["search", "export", "list:nobody", "group:nobody"])
def test_no_stay_at_all_is_no_empty_ward_however_the_cohort_is_found(icu, server, run, settings, cohort: str) -> None:
    icu.resources += [
        {"resourceType": "List", "id": "nobody", "status": "current", "mode": "working"},
        {"resourceType": "Group", "id": "nobody", "type": "person", "actual": True},
        {"resourceType": "Patient", "id": "p"},
    ]
    icu.upload(server)
    summary = run(HOURS[0], cohort=cohort)
    with pytest.raises(
        CensusImplausible, match="found 0 stays, expected at least 1; the stays that were found are screened"
    ):
        require_complete(summary["run"], settings)
    assert "Fewer stays than expected" in Path(summary["report"]).read_text()
    assert "No stays found" not in Path(summary["report"]).read_text()


def test_those_that_are_found_are_screened_all_the_same(ward, run, settings, held) -> None:
    run(HOURS[0])
    fallen = run(HOURS[1], "IMP", mode="live")
    assert census(fallen) == (1, "fell", 7)
    assert fallen["written"] == len(held("RiskAssessment")) == 1
    with pytest.raises(CensusImplausible) as caught:
        require_complete(fallen["run"], settings)
    assert f"found 1 stay after 7 in run {fallen['census']['before']['run']}" in str(caught.value)
    page = Path(fallen["report"]).read_text()
    assert page.index("Fewer stays than expected") < page.index('class="safety"')


def test_the_doubt_lasts_until_the_setting_is_mended_or_the_census_accepted(ward, run, settings) -> None:
    run(HOURS[0])
    assert census(run(HOURS[1], "IMP")) == (1, "fell", 7)
    assert census(run(HOURS[2], "IMP")) == (1, "fell", 7)
    accepted = run(HOURS[2], "IMP", accept_census=True)
    require_complete(accepted["run"], settings)
    assert census(run(HOURS[3], "IMP")) == (1, "", 1)


def test_an_accepted_empty_ward_ends_well(server, run, settings) -> None:
    summary = run(HOURS[0], accept_census=True)
    require_complete(summary["run"], settings)
    assert "No stays found" in Path(summary["report"]).read_text()


@pytest.mark.parametrize(
    "changes",
    [{"cohort": "locations:MICU"}, {"look_back": "1h"}, {"source_name": "other"}],
    ids=["cohort", "look-back", "source"],
)
def test_only_runs_of_the_same_question_are_compared(ward, server, run, changes: dict[str, str]) -> None:
    ward.resources = [{"resourceType": "Location", "id": "micu", "name": "MICU"}]
    ward.upload(server)
    run(HOURS[0], **changes)
    assert census(run(HOURS[1])) == (7, "", None)


def test_patients_who_are_asked_for_are_no_implausible_census_and_nobodys_run_before(ward, run, settings) -> None:
    run(HOURS[0])
    one = run(HOURS[1], cohort="patients:p-s3")
    none = run(HOURS[2], cohort="patients:nobody")
    assert (census(one), census(none)) == ((1, "", None), (0, "", None))
    for summary in (one, none):
        require_complete(summary["run"], settings)
    assert census(run(HOURS[3])) == (7, "", 7)


def test_a_shadow_run_counts_as_any_other(ward, run) -> None:
    run(HOURS[0], mode="shadow")
    assert census(run(HOURS[1], mode="live")) == (7, "", 7)


def test_a_run_is_compared_with_the_latest_as_of_an_earlier_time_within_a_week(ward, run) -> None:
    run("2025-12-26T05:59:59Z", look_back="24h")
    assert census(run(HOURS[3]))[2] is None
    run(HOURS[2])
    later = run(HOURS[1], "IMP", accept_census=True)
    assert census(later) == (1, "", None)
    assert census(run(HOURS[2]))[2] == 1
    assert census(run("2026-01-09T05:00:00Z"))[2] == 7
    assert census(run("2026-01-16T05:00:01Z"))[2] is None


def test_runs_before_the_one_that_is_compared_with_are_not_opened(ward, run, settings) -> None:
    run(HOURS[0])
    for number in range(40):
        RunFolder.of(settings.runs, f"sepsis-20260102T0400{number:02d}Z-{number:06x}").write_text("census.json", "…")
    assert census(run(HOURS[1])) == (7, "", 7)


def test_any_number_of_other_questions_lie_between_two_rounds_of_a_ward(ward, run, settings) -> None:
    run(HOURS[0])
    other = {"of": {"cohort": {"kind": "patients"}}, "found": 1, "doubt": ""}
    for number in range(250):
        name = f"sepsis-20260102T053{number // 60}{number % 60:02d}Z-{number:06x}"
        RunFolder.of(settings.runs, name).write_json("census.json", other)
    RunFolder.of(settings.runs, "sepsis-20260102T054000Z-0a1b2c").write_json("request.json", {})
    assert census(run(HOURS[1])) == (7, "", 7)


def test_a_run_that_is_resumed_keeps_its_census(ward, run, settings) -> None:
    summary = run(HOURS[0])
    kept = json.loads(RunFolder.of(settings.runs, summary["run"]).read_bytes("census.json"))
    assert kept == summary["census"]
