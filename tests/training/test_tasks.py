"""What is predicted, and when: rows up to onset, controls at comparable hours, outcomes within the horizon."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from wardround.core.events import UTC, frame_of
from wardround.core.stays import OF_STAY, STAY_COLUMNS
from wardround.errors import TrainingError
from wardround.evaluation.results import Task
from wardround.spec.conditions import Label
from wardround.training.tasks import ROW_COLUMNS, last_hours, predictions_of, rows_of, spans_of, task_of

IN = pd.Timestamp("2150-01-01T10:00Z")
HOUR, DAY = timedelta(hours=1), timedelta(hours=24)
DEATH = Label(rule="hospital_death")
FIRST_DAY, HOURLY = task_of(DEATH, DAY, None), task_of(DEATH, DAY, 6 * HOUR)


def _stays(*changes: dict) -> pd.DataFrame:
    """Stays of 48 hours; `onset` in hours after admission makes the outcome."""
    rows = [
        {
            "stay_id": f"s{n}", "patient_id": f"p{n}", "intime": IN, "outtime": IN + change.get("hours", 48) * HOUR,
            "birth_date": pd.Timestamp("2100-05-05"), "sex": "male", "unit": "MICU", "status": "finished",
        }
        | {key: value for key, value in change.items() if key in STAY_COLUMNS}
        for n, change in enumerate(changes)
    ]  # fmt: skip
    onsets = [IN + change["onset"] * HOUR if "onset" in change else pd.NaT for change in changes]
    onset = pd.to_datetime(pd.Series(onsets), utc=True).astype(UTC)
    stays = frame_of(STAY_COLUMNS, rows).assign(race="WHITE", anchor_year_group="2017 - 2019")
    return stays.assign(onset=onset, outcome=onset.notna().astype("boolean"))


def _followed(*changes: dict, task=HOURLY, seed: int = 1) -> pd.DataFrame:
    stays = _stays(*changes)
    return stays.assign(last_hour=last_hours(stays, task, seed))


def test_a_first_day_task_has_one_row_per_stay_at_its_time() -> None:
    rows = rows_of(_followed({"onset": 30}, {}, task=FIRST_DAY), FIRST_DAY)
    assert rows[["stay_id", "hour", "outcome"]].to_numpy().tolist() == [["s0", 24, True], ["s1", 24, False]]
    assert rows["as_of"].tolist() == [IN + DAY] * 2
    assert (FIRST_DAY.hours_per_row, HOURLY.hours_per_row) == (24, 1)


def test_an_hourly_task_has_a_row_for_every_full_hour_before_onset() -> None:
    rows = rows_of(_followed({"onset": 9.5}), HOURLY)
    assert rows["hour"].tolist() == list(range(1, 10))
    assert rows["as_of"].tolist() == [IN + hour * HOUR for hour in range(1, 10)]
    assert rows["outcome"].tolist() == [False] * 3 + [True] * 6


@pytest.mark.parametrize(("onset", "last", "first_positive"), [(9, 8, 3), (9.01, 9, 4), (2, 1, 1)])
def test_the_row_at_onset_is_left_out_and_the_horizon_holds_both_its_ends(onset, last, first_positive) -> None:
    rows = rows_of(_followed({"onset": onset}), HOURLY)
    assert rows["hour"].max() == last
    assert rows.loc[rows["outcome"], "hour"].min() == first_positive


def test_no_row_is_after_the_end_of_the_stay() -> None:
    assert rows_of(_followed({"onset": 40, "hours": 10}, {"hours": 3.5}), HOURLY).groupby("stay_id")[
        "hour"
    ].max().to_dict() == {"s0": 9, "s1": 3}


def test_stays_without_the_outcome_end_at_the_onset_hours_of_those_with_it() -> None:
    cases = [{"onset": hour} for hour in (5, 5, 20)]
    stays = _followed(*cases, *[{}] * 600)
    hours = stays["last_hour"][3:].value_counts(normalize=True)
    assert set(hours.index) == {4, 19}
    assert hours[4] == pytest.approx(2 / 3, abs=0.07)


def test_the_draw_depends_on_the_seed_and_on_the_stay_and_not_on_the_order() -> None:
    stays = _stays(*[{"onset": hour} for hour in range(2, 40)], *[{}] * 40)
    forward = pd.Series(last_hours(stays, HOURLY, 1), index=stays["stay_id"])
    backward = pd.Series(last_hours(stays[::-1], HOURLY, 1), index=stays["stay_id"][::-1])
    assert forward.sort_index().equals(backward.sort_index())
    assert not np.array_equal(forward, last_hours(stays, HOURLY, 2))


def test_without_any_case_controls_are_followed_to_their_end() -> None:
    assert _followed({}, {"hours": 7})["last_hour"].tolist() == [47, 6]


def test_rows_say_who_and_where_in_the_words_of_subgroups() -> None:
    stays = _followed({"onset": 3}, {"onset": 3, "sex": "other", "birth_date": pd.Timestamp("2070-01-02")})
    rows = rows_of(stays, HOURLY).drop_duplicates("stay_id")
    columns = ["unit", "race", "anchor_year_group", "sex_group", "age_band"]
    assert rows[columns].to_numpy().tolist() == [
        ["MICU", "WHITE", "2017 - 2019", "male", "45-64"],
        ["MICU", "WHITE", "2017 - 2019", "", "65-79"],
    ]


@pytest.mark.parametrize(
    ("born", "band"),
    [
        ("2132-01-02", "18-44"),
        ("2132-01-03", ""),
        ("2085-01-02", "65-79"),
        ("2105-01-03", "18-44"),
        ("2105-01-02", "45-64"),
        ("2070-01-02", "80+"),
        ("2140-01-01", ""),
    ],
)
def test_age_bands_go_by_completed_years_at_the_prediction(born: str, band: str) -> None:
    stays = _followed({"birth_date": pd.Timestamp(born), "onset": 30}, task=FIRST_DAY)
    assert rows_of(stays, FIRST_DAY)["age_band"].tolist() == [band]


def test_rows_are_ordered_by_patient_and_time_whatever_the_stays_order() -> None:
    stays = _followed({"onset": 4}, {"onset": 3, "patient_id": "a"}, {"onset": 4, "patient_id": "a"})
    assert rows_of(stays[::-1], HOURLY).equals(rows_of(stays, HOURLY))
    assert predictions_of(stays, HOURLY).tolist() == [3, 2, 3]


def test_the_spans_cover_the_windows_of_all_rows() -> None:
    later = {"patient_id": "p0", "intime": IN + 10 * HOUR, "onset": 13}
    spans = spans_of(_followed({"onset": 9}, later), HOURLY, DAY)
    assert spans.to_numpy().tolist() == [["p0", IN + HOUR - DAY, IN + 12 * HOUR]]


def test_no_stays_give_no_rows_with_all_columns() -> None:
    rows = rows_of(_followed({}).head(0), HOURLY)
    assert len(rows) == 0
    assert rows["outcome"].dtype == "boolean"


def test_an_hourly_task_needs_a_label_with_an_onset() -> None:
    with pytest.raises(TrainingError, match=r"--horizon: the label icd .* \(hospital_death, sepsis3\); name one"):
        task_of(Label(rule="icd", icd10=("A41",)), DAY, 6 * HOUR)


def test_a_task_without_a_horizon_predicts_once_at_its_time_with_any_label() -> None:
    assert task_of(Label(rule="icd", icd10=("A41",)), 2 * DAY, None) == Task(
        task="first_day", horizon=None, at=2 * DAY, hours_per_row=48, label="icd", onset_definition=None
    )


def test_a_task_with_a_horizon_predicts_each_hour_from_the_first_whatever_its_time() -> None:
    assert task_of(DEATH, DAY, 6 * HOUR) == Task(
        task="hourly", horizon=6 * HOUR, at=HOUR, hours_per_row=1, label="hospital_death", onset_definition="deathtime"
    )


def test_a_row_at_or_after_onset_does_not_have_the_outcome_ahead() -> None:
    rows = rows_of(_stays({"onset": 9}).assign(last_hour=10.0), HOURLY)
    assert rows["hour"].tolist() == list(range(1, 11))
    assert rows["outcome"].tolist() == [False] * 2 + [True] * 6 + [False] * 2


def test_rows_have_the_expected_columns_and_are_renumbered() -> None:
    rows = rows_of(_followed({"onset": 3}, {"onset": 4, "sex": "female"}), HOURLY)
    assert rows.columns.tolist() == [*ROW_COLUMNS, *OF_STAY]
    assert rows.index.tolist() == list(range(5))
    assert rows["sex_group"].tolist() == ["male"] * 2 + ["female"] * 3
