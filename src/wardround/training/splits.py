"""Splits patients into sides and folds: stratified by outcome, seeded, and independent of the order of rows."""

from typing import Final

import numpy as np
import pandas as pd

from wardround.errors import TrainingError
from wardround.evaluation.samples import Sample

TEST_SHARE: Final = 0.25
FOLDS: Final = 5
_POSITIVE: Final = "with the outcome"
_ADD: Final = "add patients"


def patients_to_test(table: pd.DataFrame, seed: int, remedy: str = _ADD) -> frozenset[str]:
    """Returns the patients of the test set: a quarter of those with and of those without a positive stay.

    Args:
        table: patient_id and outcome, one row per stay.
        seed: decides which patients.
        remedy: what to do if there are too few patients with the outcome, for the message.

    Raises:
        TrainingError: fewer patients of a class would remain for training than there are folds.
    """
    chosen: set[str] = set()
    for name, patients in _classes(table).items():
        for_test = round(TEST_SHARE * len(patients))
        _check_enough(len(patients) - for_test, len(patients), name, remedy)
        chosen.update(_shuffled(patients, seed)[:for_test])
    return frozenset(chosen)


def latest_patients(table: pd.DataFrame, remedy: str = _ADD) -> frozenset[str]:
    """Returns the patients of the test set in a split by calendar: those of the latest group of years.

    A patient belongs to one group, so that no patient is on both sides.

    Args:
        table: patient_id, outcome and anchor_year_group (such as `2017 - 2019`), one row per prediction.
        remedy: what to do if there are too few patients with the outcome, for the message.

    Raises:
        TrainingError: fewer than two groups, or a class without test patients or with too few patients to train on.
    """
    group = table.groupby("patient_id")["anchor_year_group"].max()
    groups = sorted(set(group) - {""})
    if len(groups) < 2:
        known = f"{len(groups)} group{'s' * (len(groups) != 1)} of years (anchor_year_group)"
        raise TrainingError(
            f"training data: {known}, expected at least 2 to test on the latest; split by patient instead"
        )
    chosen = frozenset(group.index[group == groups[-1]])
    for name, patients in _classes(table).items():
        for_test = len(chosen.intersection(patients))
        if not for_test:
            raise TrainingError(
                f"training data: no patient {name} in {groups[-1]}, the latest years, expected some to test on;"
                " split by patient instead"
            )
        _check_enough(len(patients) - for_test, len(patients), name, remedy)
    return chosen


def sample_of_side(outcome: np.ndarray, patients: pd.Series, *, by_calendar: bool, on_test: bool) -> Sample:
    """Returns how the patients of one side of a split came to be there.

    Args:
        outcome: outcome of all rows of the side, 0 or 1.
        patients: patient of each row.
        by_calendar: whether they were split as by `latest_patients`, and not as by `patients_to_test`.
        on_test: whether it is the test side.
    """
    if by_calendar:
        return Sample.by_chance(patients)
    return Sample.of_each_class(outcome, patients, TEST_SHARE if on_test else 1 - TEST_SHARE)


def grouped_folds(table: pd.DataFrame, seed: int) -> np.ndarray:
    """Returns each row's fold (0 to FOLDS - 1) for `table` (patient_id, outcome); a patient's stays share a fold."""
    fold: dict[str, int] = {}
    for patients in _classes(table).values():
        # Dealing continues where the other class ended, so that folds differ by at most one patient.
        start = len(fold)
        fold.update({patient: (start + place) % FOLDS for place, patient in enumerate(_shuffled(patients, seed))})
    return table["patient_id"].map(fold).to_numpy(dtype=int)


def _classes(table: pd.DataFrame) -> dict[str, list[str]]:
    """Returns the patients with a positive stay and those without, each sorted."""
    positive = table.groupby("patient_id")["outcome"].any().sort_index()
    return {
        _POSITIVE: list(positive.index[positive.astype(bool)]),
        "without it": list(positive.index[~positive.astype(bool)]),
    }


def _shuffled(patients: list[str], seed: int) -> list[str]:
    return [patients[place] for place in np.random.default_rng(seed).permutation(len(patients))]


def _check_enough(to_train: int, patients: int, name: str, remedy: str) -> None:
    if to_train < FOLDS:
        counted = f"{patients} patient{'s' * (patients != 1)} {name}"
        raise TrainingError(
            f"training data: {counted}, of whom {to_train} to train on, expected at least {FOLDS} to train on (one per"
            f" fold); {remedy if name == _POSITIVE else _ADD}"
        )
