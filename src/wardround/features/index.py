"""The rows to build features for, and their demographics at as_of. Uses no clock, network or files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pandas as pd

from wardround.core.microseconds import PER_DAY, PER_HOUR, UNKNOWN, micros_in
from wardround.core.texts import Texts
from wardround.spec.conditions import LONGEST_HOURS, Condition

_INDEX_COLUMNS: Final = ("stay_id", "patient_id", "as_of")
_DEMOGRAPHIC_SOURCES: Final = {
    "age": "birth_date",
    "sex": "sex",
    "hours_in_unit": "unit_begin",
    "hours_in_hospital": "hospital_begin",
}
DAYS_PER_YEAR: Final = 365.25


@dataclass(frozen=True, eq=False)
class Index:
    """The rows to build features for: each is a patient at a prediction time.

    Attributes:
        patient_id: the patient whose events count.
        as_of: the prediction time, in microseconds since 1970.
        demographics: `age` in years at as_of; `sex`, 1 for male and 0 for female; `hours_in_unit` and
            `hours_in_hospital` from the begin of the stay there to as_of (see `_hours_since`). NaN is unknown. Those
            that the condition uses are required.
    """

    patient_id: Texts
    as_of: np.ndarray
    demographics: Mapping[str, np.ndarray]

    @classmethod
    def of_frame(cls, frame: pd.DataFrame, condition: Condition) -> Self:
        """Returns the index of a frame: patient_id, as_of and what the condition's demographics are made of.

        Raises ValueError if a column is missing or a row has no as_of.
        """
        _check_index(frame, condition)
        as_of = micros_in(frame["as_of"])
        found: dict[str, np.ndarray] = {
            name: _DEMOGRAPHICS[name](frame, as_of) for name in condition.features.demographics
        }
        return cls(Texts.of_series(frame["patient_id"]), as_of, found)

    def __len__(self) -> int:
        return len(self.as_of)


def _age(index: pd.DataFrame, as_of: np.ndarray) -> np.ndarray:
    born = micros_in(index["birth_date"])
    return np.where(born == UNKNOWN, np.nan, (as_of - born) / PER_DAY / DAYS_PER_YEAR)


def _sex(index: pd.DataFrame, _as_of: np.ndarray) -> np.ndarray:
    return index["sex"].map({"male": 1.0, "female": 0.0}).to_numpy(dtype=float)


def _hours(demographic: str) -> Callable[[pd.DataFrame, np.ndarray], np.ndarray]:
    begin = _DEMOGRAPHIC_SOURCES[demographic]
    return lambda index, as_of: _hours_since(micros_in(index[begin]), as_of)


def _hours_since(begin: np.ndarray, as_of: np.ndarray) -> np.ndarray:
    """Returns the hours from each begin to as_of, both in microseconds; NaN if the begin is unknown.

    It also is if the stay begins after as_of, and so is not known of then, or more than ten years before.
    """
    hours = np.where(begin == UNKNOWN, np.nan, (as_of - np.where(begin == UNKNOWN, as_of, begin)) / PER_HOUR)
    return np.where((hours >= 0) & (hours <= LONGEST_HOURS), hours, np.nan)


_DEMOGRAPHICS: Final[dict[str, Callable[[pd.DataFrame, np.ndarray], np.ndarray]]] = {
    "age": _age,
    "sex": _sex,
    "hours_in_unit": _hours("hours_in_unit"),
    "hours_in_hospital": _hours("hours_in_hospital"),
}


def _check_index(index: pd.DataFrame, condition: Condition) -> None:
    needed = (*_INDEX_COLUMNS, *(_DEMOGRAPHIC_SOURCES[name] for name in condition.features.demographics))
    missing = [column for column in needed if column not in index]
    if missing:
        raise ValueError(f"index: column {missing[0]} is missing, expected {', '.join(needed)}; add it")
    if index["as_of"].isna().any():
        raise ValueError("index: a row has no as_of; leave out stays without a prediction time")
