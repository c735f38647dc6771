"""The same scores by another definition of onset: which rows count, and which of them have the outcome."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from wardround.evaluation.definitions import by_definition
from wardround.evaluation.results import Definition, Task
from wardround.evaluation.samples import Sample
from wardround.evaluation.tallies import Scores

DAY = pd.Timestamp("2150-01-01T00:00Z")
HOURLY = Task(
    task="hourly",
    horizon=timedelta(hours=6),
    at=timedelta(hours=1),
    hours_per_row=1,
    label="sepsis3",
    onset_definition="sofa_time",
)
FIRST_DAY = HOURLY.model_copy(update={"task": "first_day", "horizon": None})


def _at(hour: str | None) -> pd.Timestamp:
    return pd.NaT if hour is None else DAY + pd.Timedelta(f"{hour}:00")


def _measured(task: Task, first: tuple, second: tuple = (False, None)) -> Definition:
    """Eight rows of stay a and two of stay b, whose outcome and onset by the definition are given."""
    hours = ["04:00", "05:00", "05:01", "08:59", "09:00", "10:59", "11:00", "12:00", "08:00", "12:30"]
    rows = pd.DataFrame(
        {
            "stay_id": ["a"] * 8 + ["b"] * 2,
            "patient_id": ["pa"] * 8 + ["pb"] * 2,
            "as_of": [_at(hour) for hour in hours],
        }
    )
    # The rows of another definition, which say the opposite, are not used.
    known = pd.DataFrame(
        {
            "stay_id": ["b", "a", "a", "b"],
            "definition": ["sofa_rise", "sofa_rise", "sofa_time", "sofa_time"],
            "suspicion": "any_culture",
            "outcome": pd.array([second[0], first[0], False, True], dtype="boolean"),
            "onset": pd.Series([_at(second[1]), _at(first[1]), pd.NaT, _at("12:45")], dtype="datetime64[us, UTC]"),
        }
    )
    asked = Definition(onset="sofa_rise", suspicion="any_culture")
    sample = Sample.by_chance(rows["patient_id"])
    (found,) = by_definition(rows, Scores(np.linspace(0.9, 0.1, 10), 0.5), sample, known, [asked], task)
    return found


def test_a_row_at_onset_is_left_out_and_one_at_the_horizon_counts() -> None:
    found = _measured(HOURLY, (True, "11:00"))
    # Of the six rows before 11:00, that of 04:00 lies further than six hours before it. Stay b keeps its two.
    assert (found.rows, found.positives) == (6 + 2, 5)
    assert found.metrics["prevalence"].value == pytest.approx(5 / 8)


def test_without_a_horizon_an_onset_at_any_later_time_counts() -> None:
    found = _measured(FIRST_DAY, (True, "11:00"))
    assert (found.rows, found.positives) == (6 + 2, 6)
    assert _measured(FIRST_DAY, (False, None)).positives == 0


def test_a_stay_may_have_the_outcome_by_one_definition_alone() -> None:
    found = _measured(HOURLY, (False, None), (True, "12:30"))
    assert (found.rows, found.positives) == (8 + 1, 1)


@pytest.mark.parametrize("task", [HOURLY, FIRST_DAY])
@pytest.mark.parametrize("outcome", [True, pd.NA])
def test_a_stay_with_an_outcome_that_is_unknown_or_has_no_time_is_left_out(task: Task, outcome: object) -> None:
    found = _measured(task, (outcome, None))
    assert (found.rows, found.positives) == (2, 0)
    assert found.metrics["auroc"].reason == "no stay with the outcome"
