"""What the request for a training may contain."""

from datetime import UTC, datetime, timedelta

import pytest

from wardround.errors import TrainingError
from wardround.workflows.train.request import training_request

GIVEN = {"condition": "sepsis", "mimic": "mimic", "created": datetime(2026, 1, 1, tzinfo=UTC)}


def test_the_defaults_are_all_hours_all_candidates_and_no_approval_for_the_first_model() -> None:
    request = training_request(GIVEN)
    assert (request.label, request.horizon, request.candidates, request.explained) == (None, None, None, None)
    assert (request.at, request.fitted_on) == (timedelta(hours=6), "all_hours")
    assert (request.seed, request.budget, request.split, request.approval) == (1, 4, "patient", "first_without_asking")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"horizon": "6x"}, "--horizon: got '6x', expected a whole number"),
        ({"seed": -1}, "--seed: .*greater than or equal to 0"),
        ({"budget": 0}, "--budget: .*greater than or equal to 1"),
        ({"fitted_on": "some"}, "--fitted_on: .*'all_hours' or 'matched'"),
        ({"split": "stay"}, "--split: .*'patient' or 'calendar'"),
        ({"approval": "yes"}, "--approval: .*'ask', 'first_without_asking' or 'never'"),
        ({"onset": "later"}, "--onset: .*'sofa_time', 'sofa_rise', 'suspected_infection_time' or 'earlier'"),
        ({"suspicion": "none"}, "--suspicion: .*'any_culture' or 'without_screening_cultures'"),
        ({"candidates": ()}, "--candidates: got no name, expected different names"),
        ({"candidates": ("xgboost", "xgboost")}, "--candidates: got xgboost, xgboost, expected different names"),
        ({"promote": True}, "--promote: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_value_is_named_as_the_command_line_calls_it(wrong: dict, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        training_request({**GIVEN, **wrong})


def test_a_request_is_read_back_as_it_was_written() -> None:
    request = training_request({**GIVEN, "label": "sepsis3", "horizon": "6h", "candidates": ["xgboost"]})
    assert training_request(request.model_dump(mode="json")) == request
