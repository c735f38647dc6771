"""A training table is read in parts; what comes out does not depend on them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.core import run_files
from wardround.spec.loading import load_condition
from wardround.training.tasks import ROW_COLUMNS
from wardround.workflows.train.table import TEST, Table

ROWS = 300


@pytest.fixture(scope="module")
def frame(schemas) -> pd.DataFrame:
    """Sixty stays of five rows; every fifth stay is of the test set, and every tenth row has the outcome."""
    condition, number = load_condition("sepsis", schemas), np.arange(ROWS)
    rows = pd.DataFrame(dict.fromkeys(ROW_COLUMNS, ""), index=number)
    rows = rows.assign(
        stay_id=[f"s{n // 5}" for n in number],
        patient_id=[f"p{n // 5}" for n in number],
        as_of=pd.Timestamp("2150-01-01T00:00Z"),
        outcome=pd.array(number % 10 == 0, dtype="boolean"),
        matched=number % 3 > 0,
        hour=number % 5 + 1.0,
        onset=pd.NaT,
        fold=np.where(number // 5 % 5 == 0, TEST, number // 5 % 5),
    )
    features = {name: number * 1000.0 + place for place, name in enumerate(condition.columns)}
    return pd.concat([rows, pd.DataFrame(features)], axis=1)


@pytest.fixture(params=[20_000, 7], ids=["at once", "in parts"])
def table(frame, schemas, tmp_path: Path, request, monkeypatch) -> Table:
    monkeypatch.setitem(Table.fitted.__globals__, "ROWS_AT_ONCE", request.param)
    folder = RunFolder(str(tmp_path))
    folder.write_frame(run_files.TABLE, frame)
    return Table(folder, load_condition("sepsis", schemas), "patient", 3)


def _first(features: pd.DataFrame) -> np.ndarray:
    return features.iloc[:, 0].to_numpy() / 1000


def test_sides_have_all_rows_without_features(table: Table, frame: pd.DataFrame) -> None:
    train, test = table.side(on_test=False), table.side(on_test=True)
    assert len(train.frame) + len(test.frame) == ROWS
    assert set(test.frame["fold"]) == {TEST}
    assert list(test.frame) == [*ROW_COLUMNS, "fold"]
    assert (test.stays, test.positive_stays, test.outcome.sum()) == (12, 6, 6)


def test_sides_say_how_their_patients_were_drawn(table: Table) -> None:
    train, test = table.side(on_test=False), table.side(on_test=True)
    assert (test.sample.share, train.sample.share, sum(test.sample.sizes)) == (0.25, 0.75, 12)
    some = test.take(np.arange(len(test.frame)) < 20)
    assert some.sample.patients.tolist() == some.frame["patient_id"].tolist()
    assert (some.sample.sizes, some.sample.share) == (test.sample.sizes, 0.25)
    assert test.sample.can_have_it(np.full(12, 5)).tolist() == [3] * 12
    by_calendar = replace(table, split="calendar")
    assert (by_calendar.side(on_test=True).sample.share, by_calendar.side(on_test=False).sample.share) == (1, 1)


def test_rows_are_scored_in_their_order(table: Table, frame: pd.DataFrame) -> None:
    for fold in (TEST, 3):
        assert table.scored(_first, fold).tolist() == np.flatnonzero(frame["fold"] == fold).tolist()
    assert table.scored(_first, fold=99).tolist() == []


def test_explained_rows_are_taken_evenly(table: Table, frame: pd.DataFrame) -> None:
    on_test = np.flatnonzero(frame["fold"] == TEST)
    assert _first(table.some_of_test(25)).tolist() == on_test[::3].tolist()
    assert _first(table.some_of_test(1000)).tolist() == on_test.tolist()


@pytest.mark.parametrize("fitted_on", ["all_hours", "matched"])
def test_models_are_fitted_to_the_rows_of_their_design(table: Table, frame: pd.DataFrame, fitted_on) -> None:
    rows = table.fitted(fitted_on, seed=1)
    mine = (frame["fold"] != TEST) & (frame["matched"] | (fitted_on == "all_hours"))
    assert _first(rows.features).tolist() == np.flatnonzero(mine).tolist()
    assert rows.outcome.tolist() == frame.loc[mine, "outcome"].tolist()
    assert rows.folds.tolist() == frame.loc[mine, "fold"].tolist()
    assert rows.patients.tolist() == frame.loc[mine, "patient_id"].tolist()


def test_if_there_are_too_many_rows_some_without_the_outcome_are_drawn_whatever_their_hour(table: Table) -> None:
    every, drawn, again = (table.fitted("all_hours", 1, most) for most in (ROWS, 100, 100))
    assert len(drawn.outcome) == 100
    assert drawn.outcome.sum() == every.outcome.sum() == 24
    assert _first(drawn.features).tolist() == _first(again.features).tolist()
    assert _first(drawn.features).tolist() != _first(table.fitted("all_hours", 2, 100).features).tolist()
    assert np.diff(_first(drawn.features)).min() > 0
    # No fewer than those with the outcome, however few rows may be fitted.
    assert table.fitted("all_hours", 1, 10).outcome.tolist() == [1] * 24


def test_the_digest_is_of_the_whole_table_and_not_of_its_parts(frame, schemas, tmp_path: Path, monkeypatch) -> None:
    folder = RunFolder(str(tmp_path))
    table = Table(folder, load_condition("sepsis", schemas), "patient", None)
    digests = set()
    for rows in (20_000, 7):
        monkeypatch.setitem(Table.fitted.__globals__, "ROWS_AT_ONCE", rows)
        folder.write_frame(run_files.TABLE, frame)
        digests.add(table.digest())
    assert len(digests) == 1
    folder.write_frame(run_files.TABLE, frame.assign(matched=True))
    assert table.digest() not in digests
