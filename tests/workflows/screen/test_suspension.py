"""The off switch: what a condition that somebody has suspended still does, and what it does not."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from wardround.adapters.files.run_folder import runs_in
from wardround.adapters.models.store import ModelStore
from wardround.errors import ConditionSuspended, SpecError
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.workflows import screen
from wardround.workflows.report import report_page
from wardround.workflows.retract import retract
from wardround.workflows.screen import Means, ScreeningRequest, resume
from wardround.workflows.suspension import resume as switch_on
from wardround.workflows.suspension import suspend


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """With a model store of its own, whose live model somebody may switch off."""
    shutil.copytree(settings.models, tmp_path / "models")
    return replace(settings, models=tmp_path / "models")


@pytest.fixture
def client(server) -> Iterator[FhirClient]:
    with FhirClient(FhirEndpoint(server)) as client:
        yield client


@pytest.fixture
def ward(icu, server) -> None:
    for name in ("a", "b", "c"):
        icu.stay(name)
    icu.upload(server)


def off(settings: Settings) -> None:
    suspend("sepsis", "ann", "alerts for everybody on 4 West", settings)


def steps(run: str, client: FhirClient, settings: Settings, upto: str) -> list[int]:
    """All steps up to the one named; gives the chunks."""
    chunks = screen.find_stays(run, client, settings)
    if upto == "find_stays":
        return chunks
    for chunk in chunks:
        screen.extract(run, chunk, client, settings)
    screen.check_quality(run, settings)
    for chunk in chunks if upto == "score" else ():
        screen.score(run, chunk, settings)
    return chunks


def test_a_suspended_condition_is_not_screened_and_the_server_is_asked_nothing(
    ward, screened, settings, transport
) -> None:
    off(settings)
    with pytest.raises(ConditionSuspended, match=r"sepsis: suspended by ann since 20.*model resume sepsis"):
        screened()
    assert (transport.sent, runs_in(settings.runs)) == ([], [])


def test_the_message_holds_nothing_that_a_person_wrote(settings) -> None:
    suspend("sepsis", "ann\nForged line", "Mr Smith was scored twice", settings)
    with pytest.raises(ConditionSuspended) as raised:
        ModelStore(settings.models).require_active("sepsis")
    assert "Smith" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_resumed_condition_is_screened_again(ward, screened, settings, held) -> None:
    off(settings)
    switch_on("sepsis", "bob", "mended", settings)
    assert screened()["written"] == 3
    assert len(held("RiskAssessment")) == 3


def test_what_reaches_nobody_goes_on_and_its_report_says_suspended(ward, screened, settings, held) -> None:
    off(settings)
    summary = screened(mode="shadow")
    page = report_page(summary["run"], settings)
    assert (summary["scored"], held("RiskAssessment")) == (3, [])
    assert "Suspended condition" in page
    assert "alerts for everybody on 4 West" in page


@pytest.mark.parametrize("upto", ["find_stays", "extract", "score"])
def test_a_run_under_way_stops_at_its_next_step_and_writes_nothing(ward, server, client, settings, held, upto) -> None:
    asked = {"condition": "sepsis", "source_url": server, "as_of": "2026-01-02T05:00:00Z"}
    run = screen.open_run(ScreeningRequest.model_validate(asked), settings)
    chunks = steps(run, client, settings, upto)
    off(settings)
    following: Any = {
        "find_stays": lambda: screen.extract(run, chunks[0], client, settings),
        "extract": lambda: screen.score(run, chunks[0], settings),
        "score": lambda: screen.publish(run, chunks[0], client, settings),
    }
    with pytest.raises(ConditionSuspended):
        following[upto]()
    with pytest.raises(ConditionSuspended):
        screen.find_stays(run, client, settings)
    assert held("RiskAssessment") == []


def test_a_chunk_that_is_written_while_others_wait_is_the_last_one_and_resume_does_the_rest(
    ward, server, settings, transport, held
) -> None:
    def switched_off_by_the_first_write(body: str) -> None:
        if body.startswith('{"resourceType":"Bundle"') and not ModelStore(settings.models).standing("sepsis").suspended:
            off(settings)

    transport.refuse = switched_off_by_the_first_write
    one_at_a_time = FhirEndpoint(server, threads=1)
    asked = {"condition": "sepsis", "source_url": server, "as_of": "2026-01-02T05:00:00Z", "chunk_size": 1}
    request = ScreeningRequest.model_validate(asked)
    with pytest.raises(ConditionSuspended):
        screen.screen(request, Means(one_at_a_time, settings, lambda *_: None, transport))
    (run,) = runs_in(settings.runs)
    assert len(held("RiskAssessment")) == 1
    assert "Unfinished run" in report_page(run, settings)
    assert (Path(settings.runs) / run / "report.html").is_file()

    means = Means(one_at_a_time, settings, lambda *_: None)
    with pytest.raises(ConditionSuspended):
        resume(run, means)
    assert len(held("RiskAssessment")) == 1
    switch_on("sepsis", "ann", "mended", settings)
    assert resume(run, means).as_json()["written"] == 3
    assert len(held("RiskAssessment")) == 3


def test_what_was_written_can_be_taken_back_while_the_condition_is_suspended(
    ward, screened, settings, client, held
) -> None:
    run = screened()["run"]
    off(settings)
    assert retract(run, client, settings, "wrong", datetime(2026, 1, 2, 6, tzinfo=UTC)).as_json()["retracted"] == 3
    assert {one["status"] for one in held("RiskAssessment")} == {"entered-in-error"}


def test_a_home_that_has_lost_its_conditions_does_not_keep_one_from_being_switched_off(settings, tmp_path) -> None:
    lost = replace(settings, home=tmp_path / "lost")
    assert suspend("sepsis", "ann", "no file, and no alerts", lost).what == "suspended"
    with pytest.raises(SpecError, match="got condition 'sepsi', expected one of: sepsis"):
        suspend("sepsi", "ann", "misspelt", lost)
