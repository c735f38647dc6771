"""What is predicted, and when: all hours at risk, the matched ones among them, outcomes within the horizon."""

from datetime import timedelta

import pandas as pd
import pytest

from wardround.core.events import UTC, frame_of
from wardround.core.stays import OF_STAY, STAY_COLUMNS
from wardround.errors import TrainingError
from wardround.evaluation.results import Task
from wardround.spec.conditions import Label
from wardround.training.tasks import ROW_COLUMNS, first_hours, followed, predictions_of, rows_of, spans_of, task_of

IN = pd.Timestamp("2150-01-01T10:00Z")
HOUR, DAY = timedelta(hours=1), timedelta(hours=24)
DEATH = Label(rule="hospital_death")
DAILY, HOURLY = task_of(DEATH, DAY, None), task_of(DEATH, DAY, 6 * HOUR)


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


def _until(stays: pd.DataFrame, task=HOURLY, seed: int = 1) -> pd.DataFrame:
    begun = stays.assign(first_hour=first_hours(stays, task, seed))
    last_hour, matched_until, _ = followed(begun, task, seed)
    return begun.assign(last_hour=last_hour, matched_until=matched_until)


def _followed(*changes: dict, task=HOURLY, seed: int = 1) -> pd.DataFrame:
    return _until(_stays(*changes), task, seed)


def test_a_daily_task_has_a_row_each_day_from_an_hour_drawn_for_the_stay() -> None:
    stays = _followed(*[{"hours": 24 * 5} for _ in range(300)], task=DAILY)
    assert set(stays["first_hour"]) == set(range(24, 48))
    rows = rows_of(stays, DAILY)
    steps = rows.groupby("stay_id")["as_of"].diff().dropna()
    assert set(steps) == {DAY}
    assert (
        rows.groupby("stay_id")["hour"].first().sort_index() == stays.set_index("stay_id")["first_hour"].sort_index()
    ).all()
    assert (rows["as_of"] == IN + pd.to_timedelta(rows["hour"], unit="h")).all()
    assert rows["hour"].max() < 24 * 5
    assert rows.groupby("stay_id")["hour"].max().min() >= 24 * 4 - 1  # few of them reach the very last hour
    assert rows["matched"].all()
    assert (DAILY.hours_per_row, HOURLY.hours_per_row) == (24, 1)


def test_a_daily_task_has_the_outcome_on_every_day_before_its_onset() -> None:
    rows = rows_of(_followed({"onset": 100, "hours": 200}, {"hours": 200}, task=DAILY), DAILY)
    assert rows.groupby("stay_id")["outcome"].agg(["min", "max"]).to_numpy().tolist() == [[True, True], [False, False]]
    assert rows.groupby("stay_id")["hour"].max()["s0"] < 100


def test_hours_that_few_patients_reach_are_not_followed() -> None:
    """A model is neither fitted nor judged where there is nearly nobody: 10 patients, or 1 % if that is more."""
    stays = _stays(*[{"hours": 20}] * 90, *[{"hours": 50}] * 10, *[{"hours": 400}] * 9)
    begun = stays.assign(first_hour=1.0)
    last, _, covered = followed(begun, HOURLY, 1)
    assert (covered.first, covered.last) == (HOUR, 49 * HOUR)
    assert sorted(set(last)) == [19, 49]
    many = _stays(*[{"hours": 20}] * 1980, *[{"hours": 50}] * 20).assign(first_hour=1.0)
    assert followed(many, HOURLY, 1).covered.last == 49 * HOUR
    assert followed(many[1:-1].reset_index(drop=True), HOURLY, 1).covered.last == 19 * HOUR


def test_a_patient_counts_once_towards_the_hours_that_enough_reach() -> None:
    stays = _stays(*[{"hours": 20}] * 20, *[{"hours": 90, "patient_id": "often"}] * 15).assign(first_hour=1.0)
    assert followed(stays, HOURLY, 1).covered.last == 19 * HOUR


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


@pytest.mark.parametrize(("horizon", "most"), [(6 * HOUR, 6), (timedelta(minutes=90), 2)])
def test_a_stay_has_the_outcome_at_most_as_often_as_its_task_says(horizon, most) -> None:
    task = task_of(DEATH, DAY, horizon)
    rows = rows_of(_followed(*({"onset": 20 + part / 4} for part in range(4)), task=task), task)
    assert rows.groupby("stay_id")["outcome"].sum().max() == task.most_outcomes == most
    assert DAILY.most_outcomes is None


def test_no_row_is_after_the_end_of_the_stay() -> None:
    assert rows_of(_followed({"onset": 40, "hours": 10}, {"hours": 3.5}), HOURLY).groupby("stay_id")[
        "hour"
    ].max().to_dict() == {"s0": 9, "s1": 3}


def test_stays_without_the_outcome_are_followed_to_their_end_and_matched_at_the_onset_hours_of_the_others() -> None:
    cases = [{"onset": hour} for hour in (5, 5, 20)]
    stays = _followed(*cases, *[{}] * 600)
    assert stays["last_hour"].tolist() == [4, 4, 19, *[47] * 600]
    hours = stays["matched_until"][3:].value_counts(normalize=True)
    assert set(hours.index) == {4, 19}
    assert hours[4] == pytest.approx(2 / 3, abs=0.07)
    rows = rows_of(stays, HOURLY)
    assert (
        rows[rows["matched"]].groupby("stay_id").size().sort_index()
        == stays.set_index("stay_id")["matched_until"].sort_index()
    ).all()
    assert rows.loc[rows["outcome"], "matched"].all()


def test_the_draw_depends_on_the_seed_and_on_the_stay_and_not_on_the_order() -> None:
    stays = _stays(*[{"onset": hour} for hour in range(2, 40)], *[{}] * 40)
    backward = stays[::-1].reset_index(drop=True)
    for task in (HOURLY, DAILY):
        forward, reverse = (_until(each, task).set_index("stay_id").sort_index() for each in (stays, backward))
        pd.testing.assert_frame_equal(forward, reverse)
    assert _until(stays)["matched_until"].tolist() != _until(stays, seed=2)["matched_until"].tolist()
    assert _until(stays, DAILY)["first_hour"].tolist() != _until(stays, DAILY, seed=2)["first_hour"].tolist()


def test_without_any_case_controls_are_matched_to_their_end() -> None:
    stays = _followed({}, {"hours": 7})
    assert stays["last_hour"].tolist() == stays["matched_until"].tolist() == [47, 6]


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
    stays = _stays({"birth_date": pd.Timestamp(born)}).assign(first_hour=24.0, last_hour=24.0, matched_until=24.0)
    assert rows_of(stays, DAILY)["age_band"].tolist() == [band]


def test_rows_are_ordered_by_patient_and_time_whatever_the_stays_order() -> None:
    stays = _followed({"onset": 4}, {"onset": 3, "patient_id": "a"}, {"onset": 4, "patient_id": "a"})
    assert rows_of(stays[::-1], HOURLY).equals(rows_of(stays, HOURLY))
    assert predictions_of(stays, HOURLY).tolist() == [3, 2, 3]


def test_the_spans_cover_the_windows_of_all_rows() -> None:
    later = {"patient_id": "p0", "intime": IN + 10 * HOUR, "onset": 13}
    spans = spans_of(_followed({"onset": 9}, later), DAY)
    assert spans.to_numpy().tolist() == [["p0", IN + HOUR - DAY, IN + 12 * HOUR]]


def test_no_stays_give_no_rows_with_all_columns() -> None:
    rows = rows_of(_followed({}).head(0), HOURLY)
    assert len(rows) == 0
    assert rows["outcome"].dtype == "boolean"


def test_an_hourly_task_needs_a_label_with_an_onset() -> None:
    with pytest.raises(TrainingError, match=r"--horizon: the label icd .* \(hospital_death, sepsis3\); name one"):
        task_of(Label(rule="icd", icd10=("A41",)), DAY, 6 * HOUR)


def test_a_task_without_a_horizon_predicts_daily_from_its_time_with_any_label() -> None:
    assert task_of(Label(rule="icd", icd10=("A41",)), 2 * DAY, None) == Task(
        task="daily", horizon=None, at=2 * DAY, hours_per_row=24, label="icd", onset_definition=None
    )


def test_a_task_with_a_horizon_predicts_each_hour_from_the_first_whatever_its_time() -> None:
    assert task_of(DEATH, DAY, 6 * HOUR) == Task(
        task="hourly", horizon=6 * HOUR, at=HOUR, hours_per_row=1, label="hospital_death", onset_definition="deathtime"
    )


def test_a_row_at_or_after_onset_does_not_have_the_outcome_ahead() -> None:
    rows = rows_of(_stays({"onset": 9}).assign(first_hour=1.0, last_hour=10.0, matched_until=10.0), HOURLY)
    assert rows["hour"].tolist() == list(range(1, 11))
    assert rows["outcome"].tolist() == [False] * 2 + [True] * 6 + [False] * 2


def test_rows_have_the_expected_columns_and_are_renumbered() -> None:
    rows = rows_of(_followed({"onset": 3}, {"onset": 4, "sex": "female"}), HOURLY)
    assert rows.columns.tolist() == [*ROW_COLUMNS, *OF_STAY]
    assert rows.index.tolist() == list(range(5))
    assert rows["sex_group"].tolist() == ["male"] * 2 + ["female"] * 3


@pytest.mark.parametrize("at", [timedelta(minutes=1), timedelta(minutes=90), HOUR])
def test_times_are_exact_to_the_microsecond_from_any_minute_on(at: timedelta) -> None:
    task = task_of(DEATH, at, None)
    rows = rows_of(_until(_stays({}, {"hours": 90}), task), task)
    assert str(rows["as_of"].dtype) == UTC
    assert {(as_of - IN - at) % HOUR for as_of in rows["as_of"]} == {timedelta()}
