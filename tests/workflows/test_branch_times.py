"""`wardround check` warns of a branch that asks a model when it covers no stay."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.stream.hospital import promote_with, with_branches

from wardround.adapters.models.store import ModelStore
from wardround.cli.main import wardround
from wardround.results.training_hours import TrainingHours
from wardround.settings import Settings, places_in_environment

HOUR = timedelta(hours=1)
LATER = "1.0.1-abcdefabcdef"
FROM_SIX = TrainingHours(first=6 * HOUR, last=72 * HOUR)


@pytest.fixture
def warned(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """warned(branches, covered) returns the warnings of a check, for a live model that covers these hours."""

    def check(branches: list[dict[str, Any]], covered: TrainingHours | None) -> list[str]:
        own = with_branches(settings, tmp_path / "home", branches)
        shutil.copytree(own.models, tmp_path / "models")
        own = replace(own, models=tmp_path / "models")
        promote_with(own, LATER, training_hours=covered)
        for name, value in places_in_environment(own).items():
            monkeypatch.setenv(name, value)
        found = CliRunner().invoke(wardround, ["check", "--json"], catch_exceptions=False)
        [row] = json.loads(found.stdout)["conditions"]
        shown = CliRunner().invoke(wardround, ["check"], catch_exceptions=False).stdout
        assert shown.splitlines()[-len(row["warnings"]) or len(shown) :] == [
            f"warning: {one}" for one in row["warnings"]
        ]
        warnings: list[str] = row["warnings"]
        return warnings

    return check


def test_times_before_the_first_hour_that_the_live_model_covers_are_named(warned: Callable[..., list[str]]) -> None:
    [warning] = warned([{"id": "now", "at": ["0h", "1h", "6h"]}, {"id": "late", "at": ["6h", "72h"]}], FROM_SIX)
    assert warning.startswith(
        f"sepsis/now: asks at 0h, 1h, and its model {LATER} covers 6h to 72h after admission to the unit: there is no"
        " score then"
    )


def test_a_branch_all_of_whose_times_are_outside_is_said_to_give_no_score(warned: Callable[..., list[str]]) -> None:
    [warning] = warned([{"id": "never", "at": ["0h", "73h"]}], FROM_SIX)
    assert "asks at 0h, 73h, " in warning
    assert "there is never a score" in warning


def test_a_stored_version_that_is_only_tried_is_looked_at_by_its_own_hours(
    warned: Callable[..., list[str]], settings: Settings
) -> None:
    first = ModelStore(settings.models).live_version("sepsis")  # states no hours, and is asked at any
    tried = [{"id": "tried", "at": ["0h"], "mode": "shadow", "model": version} for version in (first, LATER, "0.0.1")]
    [warning] = warned([{**one, "id": f"tried-{place}"} for place, one in enumerate(tried)], FROM_SIX)
    assert warning.startswith("sepsis/tried-1: asks at 0h, ")


@pytest.mark.parametrize("covered", [None, TrainingHours(first=timedelta(minutes=1), last=72 * HOUR)])
def test_a_model_without_stated_hours_or_from_the_first_minute_on_may_be_asked_at_once(
    warned: Callable[..., list[str]], covered: TrainingHours | None
) -> None:
    assert warned([{"id": "now", "at": ["0h", "1h"]}], covered) == []
