"""Tests the block `stream` of a condition: what it may say, and that it changes no score."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from wardround.spec.branches import Branch, Stream
from wardround.spec.digest import spec_digest
from wardround.spec.loading import load_condition, load_conditions

HOUR = timedelta(hours=1)


def test_a_condition_without_the_block_scores_no_admission(schemas: Path) -> None:
    assert all(one.stream.branches == () for one in load_conditions(schemas).values())


def test_a_branch_asks_at_once_and_again_after_an_hour_and_after_six() -> None:
    branch = Branch(id="admission")

    assert branch.at == (timedelta(), HOUR, 6 * HOUR)
    assert branch.after(timedelta()) == HOUR
    assert branch.after(HOUR) == 6 * HOUR
    assert branch.after(6 * HOUR) is None


def test_times_are_read_and_written_as_durations() -> None:
    branch = Branch.model_validate({"id": "a", "at": ["0h", "30m", "6h"]})

    assert branch.model_dump(mode="json")["at"] == ["0h", "30m", "6h"]


def test_a_branch_takes_its_own_units_and_classes_or_all() -> None:
    assert Branch(id="a").takes("MICU", "I")
    assert Branch(id="a", units=("MICU",), classes=("I",)).takes("MICU", "I")
    assert not Branch(id="a", units=("MICU",)).takes("SICU", "I")
    assert not Branch(id="a", classes=("I",)).takes("MICU", "E")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"id": "Admission"}, "should match pattern"),
        ({"at": []}, "at least 1 item"),
        ({"at": ["6h", "1h"]}, "do not ascend"),
        ({"at": ["1h", "60m"]}, "do not ascend"),
        ({"at": ["soon"]}, "whole number of minutes"),
        ({"band": "high", "threshold": 0.2, "channel": "ward"}, "keep one of them"),
        ({"band": "high"}, "name a channel"),
        ({"band": "low", "channel": "ward"}, "'moderate' or 'high'"),
        ({"threshold": 0, "channel": "ward"}, "greater than 0"),
        ({"mode": "shadow", "channel": "ward"}, "tells nobody"),
        ({"model": "20260101T000000Z-abc"}, "add `mode: shadow`"),
        ({"delay": "1h"}, "Extra inputs"),
    ],
)
def test_what_no_stream_could_do_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Branch.model_validate({"id": "admission", **wrong})


def test_two_branches_of_one_id_are_refused() -> None:
    with pytest.raises(ValidationError, match="admission more than once"):
        Stream(branches=(Branch(id="admission"), Branch(id="admission")))


def test_what_the_stream_does_changes_no_model(schemas: Path) -> None:
    sepsis = load_condition("sepsis", schemas)
    other = sepsis.model_copy(update={"stream": Stream(branches=(Branch(id="admission"),))})

    assert spec_digest(other) == spec_digest(sepsis)
