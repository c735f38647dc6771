"""Shadow as a setting of the condition: who writes, and from when on."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml

from wardround.adapters.files.run_folder import RunFolder
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.spec.loading import load_condition
from wardround.workflows.report import report_page
from wardround.workflows.screen import Means, open_run, resume
from wardround.workflows.screen.request import ScreeningRequest
from wardround.workflows.screen.run import load_run


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """With a home of its own, whose condition a test may change."""
    shutil.copytree(settings.home, tmp_path / "home")
    return replace(settings, home=tmp_path / "home")


@pytest.fixture
def ward(icu, server) -> None:
    icu.stay("a")
    icu.upload(server)


def say(settings: Settings, lines: str) -> None:
    """Sets keys of the condition."""
    path = settings.schemas / "conditions" / "sepsis.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | yaml.safe_load(lines)))


def test_a_condition_in_shadow_is_screened_and_reported_and_nothing_is_written(ward, screened, settings, held) -> None:
    say(settings, "mode: shadow")
    summary = screened()
    assert (summary["mode"], summary["scored"], summary["written"]) == ("shadow", 1, 0)
    assert (held("RiskAssessment"), held("Provenance"), held("Device")) == ([], [], [])
    assert "shadow, as set in the condition" in report_page(summary["run"], settings)


@pytest.mark.parametrize(
    ("as_of", "mode"),
    [
        ("2026-01-01T23:59:59Z", "shadow"),
        ("2026-01-02T00:00:00Z", "live"),
        ("2026-01-02T00:30:00+01:00", "shadow"),
        ("2026-01-01T23:30:00-01:00", "live"),
        ("1999-01-01T00:00:00Z", "shadow"),
    ],
)
def test_a_shadow_ends_with_the_prediction_time_that_reaches_its_day_whatever_the_clock_says(
    settings, as_of, mode
) -> None:
    say(settings, "mode: shadow\nshadow_until: 2026-01-02")
    asked = {"condition": "sepsis", "source_url": "http://127.0.0.1:9/fhir", "as_of": as_of}
    run = open_run(ScreeningRequest.model_validate(asked), settings)
    assert load_run(run, settings).request.mode == mode


def test_the_day_on_which_a_shadow_ends_is_that_of_the_conditions_time_zone(settings, schemas) -> None:
    quiet = load_condition("sepsis", schemas).model_copy(
        update={"mode": "shadow", "shadow_until": date(2026, 1, 2), "time_zone": "Europe/Berlin"}
    )
    times = datetime(2026, 1, 1, 22, 59, tzinfo=UTC), datetime(2026, 1, 1, 23, tzinfo=UTC)
    assert [quiet.mode_at(time) for time in times] == ["shadow", "live"]


def test_who_asks_for_a_live_run_of_a_condition_in_shadow_gets_it_and_the_run_says_so(
    ward, screened, settings, held
) -> None:
    say(settings, "mode: shadow")
    run = screened(mode="live")["run"]
    request = RunFolder.existing(settings.runs, run).read_json("request.json")
    assert len(held("RiskAssessment")) == 1
    assert (request["mode"], request["mode_asked"], request["mode_of_condition"]) == ("live", "live", "shadow")
    page = report_page(run, settings)
    assert "Live by request" in page
    assert "by request: the condition is set to shadow" in page


@pytest.mark.parametrize(("setting", "mode"), [("live", None), ("live", "live"), ("shadow", "shadow")])
def test_a_report_makes_no_word_of_who_chose_the_mode_that_is_the_usual_one(
    ward, screened, settings, setting, mode
) -> None:
    say(settings, f"mode: {setting}")
    page = report_page(screened(**({"mode": mode} if mode else {}))["run"], settings)
    assert f"<dt>Mode</dt><dd>{setting}</dd>" in page


def test_a_run_goes_on_as_it_began_when_its_condition_has_left_the_shadow_meanwhile(
    ward, server, screened, settings, held
) -> None:
    say(settings, "mode: shadow")
    run = screened()["run"]
    say(settings, "mode: live")
    assert resume(run, Means(FhirEndpoint(server), settings, lambda *_: None)).as_json()["written"] == 0
    assert held("RiskAssessment") == []
    assert screened()["written"] == 1
