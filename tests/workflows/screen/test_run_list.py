"""Overviews of runs as they are left behind, read without their frames."""

from dataclasses import replace

import pytest

from wardround.adapters.files.run_folder import RunFolder, run_id
from wardround.core.run_overview import RunName
from wardround.core.run_summary import COUNTS
from wardround.errors import RunNotFound
from wardround.workflows.run_list import has_key, overview_of, overviews, run_names


def test_a_screening_is_listed_with_its_own_account(icu, server, screened, settings):
    icu.stay("a")
    icu.stay("b", lactate=6.0)
    icu.stay("planned", status="planned")
    icu.upload(server)
    summary = screened()
    found = overview_of(summary["run"], settings)

    assert dict(found.counts) == {name: summary[name] for name in COUNTS}
    assert (found.state, found.kind, found.condition, found.mode) == ("complete", "screening", "sepsis", "live")
    assert (found.source, found.model_version, found.title) == (server, summary["model_version"], "Sepsis")
    assert found.began is not None
    assert found.ended is not None
    assert found.began < found.ended


def test_runs_are_named_newest_first_whatever_their_condition(settings):
    times = ("20260103T050000Z", "20260101T050000Z", "20260102T050000Z")
    for name in (
        f"{condition}-{time}-0a1b2c" for condition in ("sepsis", "mortality", "train_sepsis") for time in times
    ):
        RunFolder.of(settings.runs, name).write_json("request.json", {})

    found = run_names(settings)
    assert [name.as_of for name in found] == sorted(times * 3, reverse=True)
    assert {name.condition for name in found[:3]} == {"sepsis", "mortality", "train_sepsis"}


def test_what_is_no_run_or_was_never_opened_is_not_there(settings):
    for name in ("../sepsis-20260103T050000Z-0a1b2c", "sepsis", "sepsis-20260103T050000Z-0a1b2c"):
        with pytest.raises(RunNotFound):
            overview_of(name, settings)
    assert overviews([RunName.of("sepsis-20260103T050000Z-0a1b2c")], settings) == []


def test_a_store_that_is_not_there_yet_has_no_runs(settings, tmp_path):
    assert run_names(replace(settings, runs=str(tmp_path / "none"))) == []


def test_a_run_is_found_by_the_key_that_it_was_opened_for():
    import pandas as pd

    name = RunName.of(run_id("sepsis", pd.Timestamp("2026-01-02T05:00:00Z"), "scheduled__2026-01-02T05:00:00+00:00"))
    assert has_key(name, "scheduled__2026-01-02T05:00:00+00:00")
    assert not has_key(name, "scheduled__2026-01-03T05:00:00+00:00")
