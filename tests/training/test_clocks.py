"""A clock is told from a leak, and the figures of time alone and without it are those of such models."""

import numpy as np
import pandas as pd
import pytest

from wardround.candidates.boosted_trees import BoostedTrees
from wardround.candidates.logistic_regression import LogisticRegression
from wardround.evaluation.metrics import auroc
from wardround.spec.leakage import Leakage
from wardround.training.clocks import TimeScores, clocks_in
from wardround.training.fitting import TrainingRows, out_of_fold
from wardround.training.leakage import dominant_feature

TREES = {"max_depth": 3, "eta": 0.3, "min_child_weight": 1, "num_boost_round": 40}
LINEAR = LogisticRegression.settings[0]
STOP = Leakage(dominant_feature="stop")
BOTH = ("hours_in_unit", "hours_in_hospital")
PATIENTS, HOURS = 300, 24


def table(**changes) -> pd.DataFrame:
    """Hourly predictions of stays whose hazard falls with time and rises with `severity`, until onset."""
    generator = np.random.default_rng(5)
    patient, hour = np.repeat(np.arange(PATIENTS), HOURS), np.tile(np.arange(1, HOURS + 1.0), PATIENTS)
    severity = np.repeat(generator.normal(size=PATIENTS), HOURS)
    before = np.repeat(generator.exponential(10, PATIENTS), HOURS)
    onset = generator.random(len(hour)) < 1 / (1 + np.exp(1.5 - 0.7 * severity + 0.25 * hour))
    rows = pd.DataFrame(
        {
            "stay_id": [f"s{n}" for n in patient],
            "patient_id": [f"p{n}" for n in patient],
            "hour": hour,
            "outcome": onset.astype(int),
            "fold": patient % 5,
            "hours_in_unit": hour,
            "hours_in_hospital": hour + before,
            "severity": severity + generator.normal(size=len(hour)),
            "noise": generator.normal(size=len(hour)),
        }
    )
    at_risk = rows.groupby("stay_id")["outcome"].transform(lambda mine: mine.cumsum().shift(fill_value=0)) == 0
    return rows[at_risk].reset_index(drop=True).assign(**changes)


def rows_of(frame: pd.DataFrame, *more: str) -> TrainingRows:
    features = frame[[*BOTH, "severity", "noise", *more]]
    return TrainingRows(features, frame["outcome"].to_numpy(), frame["fold"].to_numpy(), frame["patient_id"])


def gate_of(frame: pd.DataFrame, *more: str, candidate=BoostedTrees, setting=TREES):
    rows, clocks = rows_of(frame, *more), clocks_in(frame)
    time = TimeScores.of(candidate, rows, setting, clocks, 1) if clocks else None
    return dominant_feature(candidate, rows, setting, STOP, 1, time)


def test_a_clock_is_named_with_its_reason_and_stops_nothing() -> None:
    gate = gate_of(table())
    assert (gate.passed, gate.columns, gate.clocks) == (True, (), BOTH)
    assert gate.found > STOP.max_feature_cost
    assert gate.message.startswith("Without the time since the stay began (hours_in_unit, hours_in_hospital) the AUROC")
    assert "a clock and no leak: it advances by an hour each hour in every stay" in gate.message
    assert "Time alone reaches 0." in gate.message


def test_a_leak_beside_a_clock_stops_the_training_and_is_named_alone() -> None:
    frame = table()
    told = frame["outcome"] + 0.3 * np.random.default_rng(6).normal(size=len(frame))
    gate = gate_of(frame.assign(told=told), "told")
    assert (gate.passed, gate.columns) == (False, ("told",))
    assert gate.message.startswith("without told the AUROC falls by")


def test_a_column_that_is_called_a_clock_and_knows_the_outcome_is_a_leak() -> None:
    # Stopped at the onset, as if the begin had been entered again after it.
    frame = table()
    gate = gate_of(frame.assign(hours_in_unit=frame["hours_in_unit"] - 30 * frame["outcome"]))
    assert (gate.passed, gate.columns, gate.clocks) == (False, ("hours_in_unit",), ())


@pytest.mark.parametrize(
    ("changed", "clocks"),
    [
        ({}, BOTH),
        ({"hours_in_unit": np.nan}, BOTH),  # known nowhere, it says nothing
        ({"hours_in_unit": lambda frame: frame["hour"].where(frame["hour"] > 5)}, BOTH),
        ({"hours_in_unit": lambda frame: frame["hour"] + 1e-9}, BOTH),
        ({"hours_in_unit": lambda frame: frame["hour"] + 1.0}, BOTH[1:]),  # it begins with the stay
        ({"hours_in_unit": lambda frame: frame["hour"] - 0.5}, BOTH[1:]),
        ({"hours_in_hospital": lambda frame: frame["hour"] + 100.0}, BOTH),
        ({"hours_in_hospital": lambda frame: frame["hour"] * 1.001}, BOTH[:1]),
        ({"hours_in_hospital": lambda frame: frame["hour"] + frame["outcome"]}, BOTH[:1]),
    ],
)
def test_a_clock_advances_as_the_hours_of_each_stay_do(changed: dict, clocks: tuple[str, ...]) -> None:
    assert clocks_in(table(**changed)) == clocks


def test_a_table_without_such_columns_has_no_clock() -> None:
    assert clocks_in(table().drop(columns=list(BOTH))) == ()


def test_the_figures_are_those_of_models_with_all_inputs_without_time_and_of_time_alone() -> None:
    frame = table()
    rows = rows_of(frame)
    found = TimeScores.of(LogisticRegression, rows, LINEAR, BOTH, 1).figures()
    assert (found.columns, found.rows) == (BOTH, len(frame))
    for metrics, columns in (
        (found.all_inputs, [*BOTH, "severity", "noise"]),
        (found.without_time, ["severity", "noise"]),
        (found.time_alone, list(BOTH)),
    ):
        scores = out_of_fold(LogisticRegression, rows._replace(features=rows.features[columns]), 1, LINEAR)
        assert metrics["auroc"].value == auroc(rows.outcome, scores)
        assert metrics["auroc"].low < metrics["auroc"].value < metrics["auroc"].high
        assert set(metrics) == {"auroc", "auprc"}
    assert found.all_inputs["auroc"].value > max(found.without_time["auroc"].value, found.time_alone["auroc"].value)


def test_time_that_tells_nothing_is_not_named() -> None:
    frame = table()
    even = np.random.default_rng(2).random(len(frame)) < 1 / (1 + np.exp(1.5 - frame["severity"]))
    gate = gate_of(frame.assign(outcome=even.astype(int)), candidate=LogisticRegression, setting=LINEAR)
    assert (gate.columns, gate.clocks) == (("severity",), ())
