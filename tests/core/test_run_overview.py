"""What a list says of a run, by the files that it left."""

from datetime import UTC, datetime

import pytest

from wardround.core.run_overview import RunName, overview, unreadable
from wardround.core.stored_request import stored_request

RUN = "sepsis-20260102T050000Z-0a1b2c"
REQUEST = {
    "condition": "sepsis",
    "source_url": "https://fhir.example.org",
    "as_of": "2026-01-02T06:00:00+01:00",
    "mode": "live",
    "model_version": "1",
}
COUNTS = {"found": 9, "scored": 5, "indeterminate": 1, "excluded": 2, "failed": 1, "written": 4}
QUALITY = {"condition.json": {"title": "Sepsis", "quality": {"max_set_aside": 0.1}}}


def overview_of(files):
    return overview(RUN, stored_request(files["request.json"]), files, "ward")


def state(**files):
    named = {f"{name}.json": content for name, content in files.items()}
    return overview_of({"request.json": REQUEST, **QUALITY, **named}).state


def test_a_name_says_what_was_run_and_sorts_by_time():
    name = RunName.of("train_sepsis-20260102T050000Z-0a1b2c")

    assert (name.kind, name.of_condition, name.as_of, str(name)) == (
        "training",
        "sepsis",
        "20260102T050000Z",
        "train_sepsis-20260102T050000Z-0a1b2c",
    )
    assert RunName.of(RUN).kind == "screening"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "unfinished"),
        ({"quality": {"rows": 10, "set_aside": 1}}, "unfinished"),
        ({"quality": {"rows": 10, "set_aside": 2}}, "stopped"),
        ({"quality": {"rows": 0, "set_aside": 0}}, "unfinished"),
        ({"summary": {**COUNTS, "complete": True}}, "complete"),
        ({"summary": {**COUNTS, "complete": True}, "quality": {"rows": 10, "set_aside": 2}}, "complete"),
        ({"summary": {**COUNTS, "complete": False}}, "incomplete"),
        (
            {"summary": {**COUNTS, "complete": True}, "census": {"doubt": "too_few", "found": 0, "at_least": 1}},
            "in_doubt",
        ),
        ({"summary": {**COUNTS, "complete": True}, "retraction": {"complete": False}}, "taken_back"),
    ],
)
def test_how_a_run_ended_is_told_by_its_files(files, expected):
    assert state(**files) == expected


def test_a_run_is_shown_with_its_counts_and_times_in_utc():
    steps = {"steps/find_stays.json": {"began": 0.0}, "steps/reconcile.json": {"ended": 60.0}}
    summary = {"summary.json": {**COUNTS, "complete": True, "problems": {"e-1": "missing"}}}
    found = overview_of({"request.json": REQUEST, **QUALITY, **steps, **summary})

    assert found.counts == COUNTS
    assert (found.title, found.source, found.mode, found.model_version) == ("Sepsis", "ward", "live", "1")
    assert found.as_of == datetime(2026, 1, 2, 5, tzinfo=UTC)
    assert (found.began, found.ended) == (datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, 0, 1, tzinfo=UTC))


@pytest.mark.parametrize(("asked", "mode"), [({"mode": "shadow"}, "shadow"), ({"dry_run": True}, "shadow")])
def test_a_run_that_wrote_nothing_says_so(asked, mode):
    assert overview_of({"request.json": {**REQUEST, **asked}}).mode == mode


def test_a_training_is_known_by_what_it_asked_and_not_by_its_name():
    request = {"condition": "sepsis", "mimic": "/m", "created": "2026-01-02T05:00:00Z"}
    found = overview_of({"request.json": request, "version.json": {"version": "2"}})

    assert (found.kind, found.state, found.model_version) == ("training", "trained", "2")
    assert overview_of({"request.json": request}).state == "unfinished"


def test_of_a_run_that_cannot_be_read_its_name_is_left():
    found = unreadable("train_sepsis-20260102T050000Z-0a1b2c")

    assert (found.kind, found.condition, found.state, found.as_of) == ("training", "sepsis", "unreadable", None)
