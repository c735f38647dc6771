"""What a run was asked for, as this release and others have stored it."""

import json
from datetime import UTC, datetime

import pytest

from wardround.core.stored_request import Challenger, StoredScreening, StoredTraining, stored_request

SCREENING = {
    "condition": "sepsis",
    "source_url": "https://fhir.example.org/r4",
    "as_of": "2026-01-02T05:00:00Z",
    "mode": "live",
    "model_version": "1.0.0-0123456789ab",
}


def test_a_screening_and_a_training_are_told_apart_by_what_they_asked() -> None:
    assert isinstance(stored_request(SCREENING), StoredScreening)
    training = stored_request({"condition": "sepsis", "mimic": "/m", "created": "2026-01-02T06:00:00+01:00"})
    assert isinstance(training, StoredTraining)
    assert training.created == datetime(2026, 1, 2, 5, tzinfo=UTC)


def test_what_an_earlier_release_did_not_store_is_read_as_not_known() -> None:
    stored = StoredScreening.model_validate(SCREENING)
    assert (stored.horizon, stored.challenger, stored.mode_of_condition, stored.look_back) == (None, None, None, None)
    assert (stored.demo_model, stored.software_version) == (False, "")


def test_what_a_later_release_stores_besides_is_kept() -> None:
    content = {**SCREENING, "challenger": {"version": "2", "left_out": "", "share": 0.5}, "new": {"key": [1]}}
    stored = stored_request(json.loads(json.dumps(content)))
    assert stored.as_json() == content
    assert isinstance(stored, StoredScreening)
    assert isinstance(stored.challenger, Challenger)


@pytest.mark.parametrize("mode", ["live", "shadow", None])
def test_a_dry_run_of_an_earlier_release_is_a_run_in_shadow(mode: str | None) -> None:
    assert StoredScreening.model_validate({**SCREENING, "mode": mode}).mode == mode
    assert StoredScreening.model_validate({**SCREENING, "mode": mode, "dry_run": False}).mode == mode
    assert StoredScreening.model_validate({**SCREENING, "mode": mode, "dry_run": True}).mode == "shadow"


@pytest.mark.parametrize(
    "content",
    [None, [], "sepsis", {}, {"condition": "sepsis"}, {**SCREENING, "as_of": "noon"}, {**SCREENING, "source_url": 1}],
)
def test_what_no_run_was_opened_with_is_an_error(content: object) -> None:
    with pytest.raises(ValueError, match="validation error"):
        stored_request(content)
