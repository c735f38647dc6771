"""Hourly training tables, from a simulated ward's CSVs to table.parquet."""

from collections.abc import Callable

import pandas as pd
import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.errors import TrainingError
from wardround.settings import Settings, settings_from
from wardround.sources.mimic.folder import MimicFolder
from wardround.spec.loading import load_condition
from wardround.training.clocks import clocks_in
from wardround.workflows.train import TrainingRequest, build_table, load

HOUR = pd.Timedelta(hours=1)
HOURLY = {"label": "sepsis3", "horizon": "6h"}
Open = Callable[..., RunFolder]


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    folder = tmp_path_factory.mktemp("hourly")
    return settings_from({"WARDROUND_VAR": str(folder / "var"), "WARDROUND_MODELS": str(folder / "models")})


@pytest.fixture(scope="module")
def opened(simulated_ward, settings) -> Open:
    def load_run(**changes: object) -> RunFolder:
        given = {"condition": "sepsis", "mimic": simulated_ward.mimic, "created": simulated_ward.now, **changes}
        return RunFolder.existing(settings.runs, load(TrainingRequest.model_validate(given), settings))

    return load_run


@pytest.fixture(scope="module")
def hourly(opened, settings) -> RunFolder:
    folder = opened(**HOURLY)
    build_table(_name(folder), settings)
    return folder


def _name(folder: RunFolder) -> str:
    return folder.url.rsplit("/", 1)[-1]


def test_task_json_says_what_is_predicted_and_when(hourly) -> None:
    assert hourly.read_json("task.json") == {
        "task": "hourly",
        "horizon": "6h",
        "at": "1h",
        "hours_per_row": 1.0,
        "label": "sepsis3",
        "onset_definition": "sofa_time",
        "suspicion": "any_culture",
    }


def test_every_stay_is_in_the_table_or_left_out_for_a_reason(hourly, simulated_ward) -> None:
    used, excluded = set(hourly.read_frame("table.parquet")["stay_id"]), hourly.read_frame("excluded.parquet")
    assert excluded["stay_id"].is_unique
    assert not used & set(excluded["stay_id"])
    assert used | set(excluded["stay_id"]) == set(MimicFolder(simulated_ward.mimic).stays()["stay_id"])
    assert excluded["reason"].value_counts()["onset_before_prediction"] > 5
    assert excluded["reason"].value_counts()["open_stay"] == 7  # one of the 8 is of a minor


def test_rows_lie_before_onset_by_full_hours_and_the_outcome_is_onset_within_the_horizon(hourly) -> None:
    table = hourly.read_frame("table.parquet")
    ahead = (table["onset"] - table["as_of"]) / HOUR
    assert (ahead.dropna() > 0).all()
    assert table["outcome"].tolist() == (ahead <= 6).tolist()
    assert 20 < table["outcome"].sum() < 200
    assert table.loc[table["outcome"], "matched"].all()
    assert table["matched"].mean() < 0.6
    assert (table["hour"] % 1 == 0).all()
    assert table.groupby("stay_id")["as_of"].diff().dropna().ge(HOUR).all()
    assert hourly.read_json("rows.json")["used"] == len(table)


def test_the_time_in_unit_and_hospital_advances_with_the_hours_of_a_stay(hourly) -> None:
    table = hourly.read_frame("table.parquet")
    assert clocks_in(table) == ("hours_in_unit", "hours_in_hospital")
    assert (table["hours_in_unit"] == table["hour"]).all()
    assert (table["hours_in_hospital"] > table["hour"]).all()


def test_the_planted_effect_shows_in_the_hours_before_onset(hourly) -> None:
    table = hourly.read_frame("table.parquet")
    means = table.groupby("outcome")[["heart_rate__change_6h", "mean_pressure__change_6h"]].mean()
    assert means.loc[True, "heart_rate__change_6h"] > means.loc[False, "heart_rate__change_6h"] + 2
    assert means.loc[True, "mean_pressure__change_6h"] < means.loc[False, "mean_pressure__change_6h"] - 1


def test_a_daily_table_has_the_same_columns_and_a_row_each_day(hourly, opened, settings) -> None:
    daily = opened()
    build_table(_name(daily), settings)
    table = daily.read_frame("table.parquet")
    assert list(table) == list(hourly.read_frame("table.parquet"))
    assert table.groupby("stay_id")["hour"].min().between(6, 29).all()
    assert set(table.groupby("stay_id")["hour"].diff().dropna()) == {24}
    assert daily.read_json("task.json")["hours_per_row"] == 24
    covered = daily.read_json("training_hours.json")
    assert covered["first"] == "6h"
    assert table["hour"].max() <= int(covered["last"].removesuffix("h"))
    assert table[["unit", "race", "anchor_year_group", "sex_group", "age_band"]].ne("").all(axis=None)


def test_the_table_does_not_depend_on_how_many_patients_are_read_at_a_time(hourly, opened, settings, monkeypatch):
    monkeypatch.setitem(build_table.__globals__, "ROWS_AT_ONCE", 150)
    folder = opened(**HOURLY)
    build_table(_name(folder), settings)
    pd.testing.assert_frame_equal(
        folder.read_frame("table.parquet"), hourly.read_frame("table.parquet"), check_exact=True
    )


def test_a_run_that_stopped_after_the_features_continues_without_reading_mimic(opened, settings, monkeypatch) -> None:
    folder = opened(condition="mortality")
    with monkeypatch.context() as patch:
        patch.setitem(build_table.__globals__, "patients_to_test", _killed)
        with pytest.raises(KeyboardInterrupt):
            build_table(_name(folder), settings)
    assert not folder.exists("table.parquet")
    monkeypatch.setattr(MimicFolder, "readings_in", _killed)
    build_table(_name(folder), settings)
    assert folder.exists("table.parquet")
    assert not folder.exists("features.parquet")


def _killed(*_: object) -> object:
    raise KeyboardInterrupt


def test_a_split_by_calendar_tests_on_the_latest_years(opened, settings) -> None:
    folder = opened(split="calendar")
    build_table(_name(folder), settings)
    table = folder.read_frame("table.parquet")
    on_test = table["fold"] == -1
    assert set(table.loc[on_test, "anchor_year_group"]) == {max(table["anchor_year_group"])}
    assert not set(table.loc[on_test, "patient_id"]) & set(table.loc[~on_test, "patient_id"])


def test_timed_labels_leave_out_stays_with_onset_before_the_prediction(opened) -> None:
    folder = opened(label="sepsis3")
    stays, left_out = folder.read_frame("stays.parquet"), folder.read_frame("left_out.parquet")
    septic = stays[stays["outcome"]]
    first = septic["intime"] + pd.to_timedelta(septic["first_hour"], unit="h")
    assert len(septic) > 3
    assert (septic["onset"] > first).all()
    assert left_out["reason"].value_counts()["onset_before_prediction"] > 10


def test_every_definition_of_onset_is_counted_with_the_labels_own_first(opened) -> None:
    folder = opened(**HOURLY, onset="sofa_rise", suspicion="without_screening_cultures")
    found = folder.read_json("definitions.json")
    assert (found[0]["onset"], found[0]["suspicion"]) == ("sofa_rise", "without_screening_cultures")
    assert len({(each["onset"], each["suspicion"]) for each in found}) == len(found) == 8
    stays, left_out = folder.read_frame("stays.parquet"), folder.read_frame("left_out.parquet")
    own = found[0]["stays"]
    assert own["to_predict"] == stays["outcome"].sum() > 0
    assert own["without_onset"] == (left_out["reason"] == "no_sofa_rise").sum()
    assert own["before_prediction"] == (left_out["reason"] == "onset_before_prediction").sum()
    known = folder.read_frame("definitions.parquet")
    assert known.groupby(["definition", "suspicion"])["stay_id"].nunique().eq(len(stays) + len(left_out)).all()


def test_a_label_with_one_definition_of_onset_has_nothing_to_compare(opened) -> None:
    assert not opened().exists("definitions.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizon": "6h"}, "--horizon: the label icd does not say when"),
        ({"candidates": ("lightgbm",)}, "--candidates: got 'lightgbm', expected some of: logistic_regression"),
        ({"onset": "sofa_rise"}, "--onset: the label icd offers no such choice, expected the label sepsis3"),
        ({"label": "flu"}, "--label: got 'flu', expected one of the labels of sepsis: icd, sepsis3"),
    ],
)
def test_an_impossible_request_is_refused_before_anything_is_read(opened, changes, message) -> None:
    with pytest.raises(TrainingError, match=message):
        opened(**changes)


def test_candidates_can_be_chosen(opened, settings) -> None:
    folder = opened(condition="mortality", candidates=("xgboost",))
    assert build_table(_name(folder), settings) == ["xgboost"]


def test_the_spec_decides_the_columns(hourly, settings) -> None:
    columns = load_condition("sepsis", settings.schemas).columns
    assert tuple(hourly.read_frame("table.parquet").columns[-len(columns) :]) == columns
