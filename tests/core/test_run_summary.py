"""What a run says of itself is read and written again without a loss, and without saying more than it said."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from wardround.core.run_summary import COUNTS, HighBandAccount, Kept, Retraction, RunSummary

WHOLE: dict[str, Any] = {
    "found": 7,
    "scored": 3,
    "indeterminate": 1,
    "excluded": 1,
    "failed": 2,
    "written": 3,
    "cohort": "group",
    "cohort_patients": 8,
    "cohort_without_stay": 1,
    "cohort_set_aside": {"unknown_patient": 1, "foreign_reference": 0},
    "census": {
        "of": {"condition": "sepsis", "source": "ward", "cohort": {"kind": "group", "id": "a"}, "look_back": "1d"},
        "found": 7,
        "at_least": 1,
        "may_fall_by": 0.5,
        "before": {"run": "sepsis-1", "found": 8},
        "doubt": "",
    },
    "run": "sepsis-2",
    "report": "/runs/sepsis-2/report.html",
    "model_version": "1.0.0-abc",
    "condition": "sepsis",
    "as_of": "2026-01-02T05:00:00.250000Z",
    "mode": "live",
    "source": "http://127.0.0.1/fhir",
    "results_at": "http://127.0.0.1/fhir",
    "source_map": None,
    "unchanged": 0,
    "repaired": 0,
    "withdrawn": 0,
    "to_write": 3,
    "challenger": {"version": "2", "left_out": "", "scored": {"live": 3, "challenger": 2}, "median_difference": None},
    "problems": {"e-1": "missing"},
    "high_band": {"kept": "refused", "why": "403", "reference": None, "members": 0},
    "complete": False,
    "hours_after_as_of": 0.02,
    "durations": {"extract": 6.0, "score": 2.84},
    "http_requests": 14,
}


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"found": 3, "complete": True},
        WHOLE,
        {"census": {}, "complete": True},
        {**WHOLE, "of_a_later_release": {"kept": 1}},
    ],
    ids=["nothing", "of an earlier release", "whole", "without a census", "of a later release"],
)
def test_a_summary_that_is_written_again_says_what_it_said(content: dict[str, Any]) -> None:
    summary = RunSummary.model_validate(content)

    assert summary.as_json() == content
    # In the file's order, but for what this release does not know.
    assert orjson.dumps(summary.as_json()) == orjson.dumps(content)
    assert bool(summary) is bool(content)


def test_a_retraction_is_added_at_the_end_with_the_new_counts() -> None:
    retraction = Retraction(at=datetime(2026, 1, 3, tzinfo=UTC), why="wrong", retracted=3, complete=True)

    summary = RunSummary.model_validate(WHOLE).model_copy(update={"written": 0, "retraction": retraction})

    said = {"at": "2026-01-03T00:00:00Z", "why": "wrong", "retracted": 3, "complete": True}
    assert orjson.dumps(summary.as_json()) == orjson.dumps({**WHOLE, "written": 0, "retraction": said})


def test_a_run_without_a_summary_has_no_counts() -> None:
    assert RunSummary().counts == {}
    assert RunSummary.model_validate(WHOLE).counts == {name: WHOLE[name] for name in COUNTS}


def test_whom_nobody_screens_is_told_where_there_is_somebody() -> None:
    assert RunSummary.model_validate(WHOLE).left_out == {"cohort_without_stay": 1, "unknown_patient": 1}


def test_a_refused_group_is_told_from_one_that_is_left_alone() -> None:
    assert [kept for kept in Kept if HighBandAccount(kept=kept).is_refused] == [Kept.REFUSED]


def test_what_a_broken_summary_holds_is_in_no_message() -> None:
    with pytest.raises(ValidationError) as caught:
        RunSummary.model_validate({"found": "Jane Doe"})
    assert "found" in str(caught.value)
    assert "Jane" not in str(caught.value)
