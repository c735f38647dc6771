"""Which stays a model may learn from, and why the others are left out; every stay is accounted for."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from wardround.core.events import UTC, frame_of
from wardround.core.stays import EXCLUDED_COLUMNS, STAY_COLUMNS
from wardround.evaluation.results import DefinedStays
from wardround.features.minimum_data import enough_data, known_variables
from wardround.features.subjects import Subjects
from wardround.spec.conditions import FeatureGroup, Label
from wardround.spec.loading import load_condition
from wardround.training.cohort import (
    TrainingCohort,
    counted,
    leave_out_too_little_data,
    remedy,
    training_cohort,
)
from wardround.training.tasks import first_hours, task_of

IN = pd.Timestamp("2150-01-01T10:00Z")
DAY, HOUR = timedelta(hours=24), timedelta(hours=1)
DAILY = task_of(Label(rule="hospital_death"), DAY, None)
HOURLY = task_of(Label(rule="hospital_death"), DAY, 6 * HOUR)


@pytest.fixture(scope="module")
def sepsis(schemas):
    return load_condition("sepsis", schemas)


@pytest.fixture(scope="module")
def mortality(schemas):
    return load_condition("mortality", schemas)


def _stays(*changes: dict) -> pd.DataFrame:
    normal = {"intime": IN, "outtime": IN + 3 * DAY, "birth_date": pd.Timestamp("2100-05-05"), "status": "finished"}
    rows = [
        {**normal, "stay_id": f"s{n}", "patient_id": f"p{n}", "sex": "male", "unit": "", **change}
        for n, change in enumerate(changes)
    ]
    return frame_of(STAY_COLUMNS, rows).assign(race="", anchor_year_group="")


def _begins(stays: pd.DataFrame) -> pd.Series:
    """The daily task's first prediction of each stay."""
    return stays["intime"] + pd.to_timedelta(first_hours(stays, DAILY, 1), unit="h")


FIRST = _begins(_stays({}))[0]
MINUTE = timedelta(minutes=1)
# Somebody who turns 18 on the day of the first prediction, and somebody who does the day after.
OF_AGE, UNDER_AGE = (pd.Timestamp(day.date()) - pd.DateOffset(years=18) for day in (FIRST, FIRST + DAY))


def _outcomes(*values: object, onset: object = None) -> pd.DataFrame:
    times = pd.to_datetime(pd.Series([onset] * len(values)), utc=True).astype(UTC)
    return pd.DataFrame({"outcome": pd.Series(list(values), dtype="boolean"), "onset": times})


def _reason(condition, task=DAILY, outcome: object = True, onset: object = None, **change: object) -> str:
    cohort = training_cohort(_stays(change), _outcomes(outcome, onset=onset), task, condition, seed=1)
    assert len(cohort.stays) + len(cohort.excluded) == 1
    return cohort.excluded["reason"].iloc[0] if len(cohort.excluded) else ""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"status": "entered-in-error"}, "unusable_status"),
        ({"intime": None}, "no_admission_time"),
        ({"birth_date": None}, "no_birth_date"),
        ({"birth_date": UNDER_AGE}, "under_age"),
        ({"birth_date": OF_AGE}, ""),
        ({"outtime": None}, "open_stay"),
        ({"outtime": IN + DAY}, "shorter_than_24h"),
        ({"outtime": IN + DAY + MINUTE}, "over_before_prediction"),
        ({"outtime": FIRST}, "over_before_prediction"),
        ({"outtime": FIRST + MINUTE}, ""),
        ({"outcome": pd.NA}, "no_outcome"),
        ({"onset": FIRST}, "onset_before_prediction"),
        ({"onset": FIRST + MINUTE}, ""),
        ({"outcome": False, "onset": IN}, ""),
    ],
)
def test_a_stay_is_left_out_for_the_first_reason_that_applies(sepsis, change: dict, reason: str) -> None:
    assert _reason(sepsis, **change) == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"onset": IN + 5 * HOUR}, ""),
        ({"outtime": IN + HOUR, "onset": IN + 5 * HOUR}, "shorter_than_1h"),
        ({"onset": None}, "no_onset"),
        ({"onset": IN + HOUR}, "onset_before_prediction"),
        ({"outcome": False}, ""),
    ],
)
def test_an_hourly_prediction_needs_a_stay_that_continues_and_an_onset_after_it(sepsis, change, reason) -> None:
    assert _reason(sepsis, HOURLY, **change) == reason


RISE = Label(rule="sepsis3", onset="sofa_rise")


@pytest.mark.parametrize("task", [task_of(RISE, DAY, None), task_of(RISE, DAY, 6 * HOUR)])
def test_a_septic_stay_without_a_rise_of_sofa_teaches_nothing(sepsis, task) -> None:
    assert _reason(sepsis, task, onset=None) == "no_sofa_rise"
    assert _reason(sepsis, task, outcome=False, onset=None) == ""
    assert _reason(sepsis, task, onset=IN + HOUR) == "onset_before_prediction"


def test_stays_with_the_outcome_are_counted_by_what_becomes_of_them(sepsis) -> None:
    reasons = ["", "", "no_sofa_rise", "no_onset", "onset_before_prediction", "open_stay", "", "no_outcome"]
    outcomes = _outcomes(*[True] * 6, False, pd.NA)
    assert counted(outcomes, np.array(reasons, dtype=object)) == DefinedStays(
        with_the_outcome=6, before_prediction=1, without_onset=2, otherwise_left_out=1, to_predict=2
    )
    with pytest.raises(ValueError, match="6 stays, 3 left out, 2 to predict"):
        DefinedStays(with_the_outcome=6, before_prediction=1, without_onset=2, otherwise_left_out=0, to_predict=2)


@pytest.mark.parametrize(
    ("label", "horizon", "reasons", "expected"),
    [
        (
            Label(rule="sepsis3", onset="sofa_time"),
            None,
            ["onset_before_prediction"] * 57 + ["open_stay"],
            "57 stays were left out because onset came before the first prediction (from 24h after admission); predict"
            " earlier with --at, or every hour with --horizon, or choose another onset with --onset",
        ),
        (
            RISE,
            6 * HOUR,
            ["onset_before_prediction", "no_sofa_rise", "no_sofa_rise"],
            "1 stay was left out because onset came before the first prediction (from 1h after admission) and 2 stays"
            " were left out because SOFA did not rise; add patients, or choose another onset with --onset",
        ),
        (
            Label(rule="hospital_death"),
            None,
            ["onset_before_prediction"],
            "1 stay was left out because onset came before the first prediction (from 24h after admission); predict"
            " earlier with --at, or every hour with --horizon",
        ),
        (Label(rule="icd", icd10=("A41",)), None, ["open_stay"], "add patients, or check the label's codes"),
        (Label(rule="hospital_death"), None, [], "add patients, or check the label"),
    ],
)
def test_the_remedy_says_where_patients_with_the_outcome_went(label, horizon, reasons, expected: str) -> None:
    assert remedy(pd.DataFrame({"reason": reasons}, dtype="str"), task_of(label, DAY, horizon)) == expected


def test_the_outcome_stays_with_its_stay(sepsis) -> None:
    stays = _stays({"outtime": None}, {"intime": IN + DAY}, {})
    cohort = training_cohort(stays, _outcomes(True, False, True), DAILY, sepsis, seed=1)
    first = _begins(stays)
    assert cohort.stays[["stay_id", "outcome"]].to_numpy().tolist() == [["s1", False], ["s2", True]]
    begins = cohort.stays["intime"] + pd.to_timedelta(cohort.stays["first_hour"], unit="h")
    assert begins.tolist() == first[1:].tolist()


def test_a_variable_is_known_by_any_event_and_a_count_of_zero_is_none(sepsis) -> None:
    row = {column: float("nan") for column in sepsis.columns}
    row |= {column: 0.0 for column in sepsis.columns if "__count" in column}
    row |= {column: 1.0 for column in sepsis.columns if "__missing" in column}
    features = pd.DataFrame([row, row | {"lactate__count_24h": 1.0}, row | {"heart_rate__last_24h": 0.0}])
    assert known_variables(features.to_numpy(), Subjects.of(sepsis)).tolist() == [0, 1, 1]


def test_what_was_counted_longer_ago_than_any_value_of_a_variable_is_not_enough(sepsis) -> None:
    week = FeatureGroup(
        variables=("lactate",), summaries=("count", "missing", "hours_since_last"), window=timedelta(days=7)
    )
    features = sepsis.features.model_copy(update={"groups": (*sepsis.features.groups, week)})
    condition = sepsis.model_copy(update={"features": features})
    row = dict.fromkeys(condition.columns, float("nan"))
    row |= {"lactate__count_168h": 3.0, "lactate__missing_168h": 0.0, "lactate__hours_since_last_168h": 30.0}
    rows = pd.DataFrame([row, row | {"lactate__last_24h": 2.0}])
    assert known_variables(rows.to_numpy(), Subjects.of(condition)).tolist() == [0, 1]


def test_variables_outside_the_minimum_data_do_not_count_towards_it(mortality) -> None:
    row = dict.fromkeys(mortality.columns, float("nan")) | {"platelets__last_24h": 1.0, "spo2__last_24h": 1.0}
    assert known_variables(pd.DataFrame([row]).to_numpy(), Subjects.of(mortality)).tolist() == [1]


def test_the_condition_decides_how_much_data_is_enough(mortality) -> None:
    unknown = dict.fromkeys(mortality.columns, float("nan"))
    rich = unknown | {f"{name}__last_24h": 1.0 for name in ("heart_rate", "spo2", "lactate", "creatinine")}
    features = pd.DataFrame([rich, rich | {"lactate__last_24h": float("nan")}])
    assert enough_data(features.to_numpy(), Subjects.of(mortality)).tolist() == [True, False]


def test_stays_below_the_minimum_data_join_the_excluded(mortality) -> None:
    cohort = training_cohort(_stays({}, {}, {"outtime": None}), _outcomes(*[True] * 3), DAILY, mortality, seed=1)
    left: TrainingCohort = leave_out_too_little_data(cohort, {"s0"})
    assert left.stays["stay_id"].tolist() == ["s0"]
    assert sorted(zip(left.excluded["stay_id"], left.excluded["reason"], strict=True)) == [
        ("s1", "below_minimum_data"),
        ("s2", "open_stay"),
    ]


def test_used_and_excluded_stays_are_renumbered_and_have_only_their_columns(sepsis) -> None:
    stays = _stays({"patient_id": "b"}, {"outtime": None}, {"patient_id": "a"}, {}, {"outtime": None})
    outcomes = _outcomes(*[True] * 5)
    cohort = training_cohort(stays.set_axis(range(10, 15)), outcomes, DAILY, sepsis, seed=1)
    columns = [*stays.columns, "outcome", "onset", "first_hour", "last_hour", "matched_until"]
    for found, used, left in (
        (cohort, ["s2", "s0", "s3"], ["s1", "s4"]),
        (leave_out_too_little_data(cohort, {"s0"}), ["s0"], ["s1", "s4", "s2", "s3"]),
    ):
        assert found.stays["stay_id"].to_dict() == dict(enumerate(used))
        assert found.excluded["stay_id"].to_dict() == dict(enumerate(left))
        assert (found.stays.columns.tolist(), found.excluded.columns.tolist()) == (columns, list(EXCLUDED_COLUMNS))


def test_the_seed_decides_how_long_stays_without_the_outcome_are_matched(sepsis) -> None:
    stays = _stays(*[{}] * 60)
    onset = pd.Series([IN + (n + 3) * HOUR if n < 30 else pd.NaT for n in range(60)])
    outcomes = pd.DataFrame({"outcome": onset.notna().astype("boolean"), "onset": onset})

    def matched(seed: int) -> list[float]:
        return training_cohort(stays, outcomes, HOURLY, sepsis, seed).stays["matched_until"].tolist()

    assert matched(1) == matched(1) != matched(2)
