"""Sides and folds are by patient, stratified, seeded, and the same for any order of rows."""

import pandas as pd
import pytest

from wardround.errors import TrainingError
from wardround.evaluation.samples import Classes
from wardround.training.splits import (
    FOLDS,
    TEST_SHARE,
    grouped_folds,
    latest_patients,
    patients_to_test,
    sample_of_side,
)


def _table(positive: int = 20, negative: int = 60) -> pd.DataFrame:
    """Every patient has two stays; a positive patient has one positive stay."""
    rows = [
        {"patient_id": f"p{n}", "outcome": n < positive and stay == 1}
        for n in range(positive + negative)
        for stay in (1, 2)
    ]
    return pd.DataFrame(rows)


def test_a_quarter_of_the_patients_of_each_class_is_for_the_test() -> None:
    test = patients_to_test(_table(), seed=1)
    positive = {f"p{n}" for n in range(20)}
    assert (len(test & positive), len(test - positive)) == (20 * TEST_SHARE, 60 * TEST_SHARE)


@pytest.mark.parametrize("on_test", [True, False])
def test_a_side_says_which_share_of_each_class_it_is(on_test: bool) -> None:
    table = _table()
    side = table[table["patient_id"].isin(patients_to_test(table, seed=1)) == on_test]
    outcome, patients = side["outcome"].to_numpy(dtype=int), side["patient_id"]
    sample = sample_of_side(outcome, patients, by_calendar=False, on_test=on_test)
    assert sample.sizes == Classes(with_outcome=20 * sample.share, without=60 * sample.share)
    assert sample_of_side(outcome, patients, by_calendar=True, on_test=on_test).share == 1


def test_all_stays_of_a_patient_share_a_fold_and_every_fold_has_both_classes() -> None:
    table = _table().assign(fold=grouped_folds(_table(), seed=1))
    assert table.groupby("patient_id")["fold"].nunique().eq(1).all()
    assert table.groupby("fold")["outcome"].agg(["any", "all"]).to_numpy().tolist() == [[True, False]] * FOLDS
    assert table.groupby("fold")["patient_id"].nunique().tolist() == [16] * FOLDS


def test_the_seed_decides_and_the_order_of_rows_does_not() -> None:
    table = _table()
    shuffled = table.sample(frac=1, random_state=3)
    assert patients_to_test(table, seed=1) == patients_to_test(shuffled, seed=1)
    assert patients_to_test(table, seed=1) != patients_to_test(table, seed=2)
    folds = pd.Series(grouped_folds(table, seed=1), index=table.index)
    assert pd.Series(grouped_folds(shuffled, seed=1), index=shuffled.index).sort_index().equals(folds)


def test_too_few_patients_of_a_class_is_an_error_with_counts_and_a_remedy() -> None:
    with pytest.raises(TrainingError, match=r"6 patients with the outcome, of whom 4 to train on.*at least 5.*add pat"):
        patients_to_test(_table(positive=6), seed=1)
    with pytest.raises(TrainingError, match="0 patients without it"):
        patients_to_test(_table(negative=0), seed=1)


def test_the_error_gives_the_remedy_for_patients_with_the_outcome_alone() -> None:
    with pytest.raises(TrainingError, match=r"1 patient with the outcome, of whom 1 to train on.*; predict earlier$"):
        patients_to_test(_table(positive=1), seed=1, remedy="predict earlier")
    with pytest.raises(TrainingError, match=r"without it, .*; add patients$"):
        patients_to_test(_table(negative=0), seed=1, remedy="predict earlier")


def _years(*groups: str) -> pd.DataFrame:
    """Ten patients with and ten without the outcome in each group of years."""
    rows = [
        {"patient_id": f"{group}/{n}", "outcome": n < 10, "anchor_year_group": group}
        for group in groups
        for n in range(20)
    ]
    return pd.DataFrame(rows)


def test_in_a_split_by_calendar_the_patients_of_the_latest_years_are_the_test_side() -> None:
    table = _years("2017 - 2019", "2008 - 2010", "2011 - 2013")
    assert latest_patients(table) == {f"2017 - 2019/{n}" for n in range(20)}


def test_a_split_by_calendar_needs_two_groups_of_years_with_both_classes_in_the_latest() -> None:
    with pytest.raises(TrainingError, match=r"1 group of years .* expected at least 2.*split by patient"):
        latest_patients(_years("2008 - 2010"))
    table = _years("2008 - 2010", "2011 - 2013")
    table["outcome"] &= table["anchor_year_group"] == "2008 - 2010"
    with pytest.raises(TrainingError, match="no patient with the outcome in 2011 - 2013"):
        latest_patients(table)


def test_unknown_years_are_not_a_group_of_years() -> None:
    with pytest.raises(TrainingError, match="1 group of years"):
        latest_patients(_years("", "2008 - 2010"))
    assert latest_patients(_years("", "2008 - 2010", "2011 - 2013")) == {f"2011 - 2013/{n}" for n in range(20)}


def test_the_error_names_the_latest_of_several_years() -> None:
    table = _years("2008 - 2010", "2011 - 2013", "2014 - 2016")
    table["outcome"] &= table["anchor_year_group"] != "2014 - 2016"
    with pytest.raises(TrainingError, match=r"no patient with the outcome in 2014 - 2016.*; split by patient instead$"):
        latest_patients(table)


def _earlier(positives: int) -> pd.DataFrame:
    """Twenty patients in the latest years, ten of them with the outcome, and a given number of those earlier."""
    table = _years("2008 - 2010", "2011 - 2013")
    number = table["patient_id"].str.split("/").str[1].astype(int)
    return table[(table["anchor_year_group"] == "2011 - 2013") | (number < positives) | (number >= 10)]


def test_in_a_split_by_calendar_each_class_needs_a_training_patient_per_fold() -> None:
    with pytest.raises(TrainingError, match="14 patients with the outcome, of whom 4 to train on, expected at least 5"):
        latest_patients(_earlier(4))
    assert len(latest_patients(_earlier(5))) == 20


def test_one_training_patient_per_fold_is_enough() -> None:
    # Of seven, two are for the test, which leaves five for five folds.
    assert len(patients_to_test(_table(positive=7), seed=1) & {f"p{n}" for n in range(7)}) == 2


def test_dealing_one_class_continues_where_the_other_ended() -> None:
    # Seven and eight patients: three in each of the five folds.
    table = _table(positive=7, negative=8)
    assert table.groupby(grouped_folds(table, seed=1))["patient_id"].nunique().tolist() == [3] * FOLDS
