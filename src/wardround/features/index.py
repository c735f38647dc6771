"""The rows to build features for, and their demographics at as_of. Uses no clock, network or files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

import numpy as np
import pandas as pd

from wardround.core.exclusion import Stay
from wardround.core.microseconds import PER_DAY, PER_HOUR, UNKNOWN, micros, micros_in
from wardround.core.texts import Texts
from wardround.spec.conditions import LONGEST_HOURS, Condition

_INDEX_COLUMNS: Final = ("stay_id", "patient_id", "as_of")
_DEMOGRAPHIC_SOURCES: Final = {
    "age": "birth_date",
    "sex": "sex",
    "hours_in_unit": "unit_begin",
    "hours_in_hospital": "hospital_begin",
}
_SEXES: Final = {"male": 1.0, "female": 0.0}
DAYS_PER_YEAR: Final = 365.25
Column = Sequence[Any] | np.ndarray


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
        found = {
            name: _DEMOGRAPHICS[name](frame["sex"].tolist() if name == "sex" else micros_in(frame[source]), as_of)
            for name, source in _sources_of(condition)
        }
        return cls(Texts.of_series(frame["patient_id"]), as_of, found)

    @classmethod
    def of_stays(cls, stays: Sequence[Stay], as_of: datetime, condition: Condition) -> Self:
        """Returns the index of stays at one prediction time."""
        moments = np.full(len(stays), micros(as_of))
        found = {
            name: _DEMOGRAPHICS[name]([getattr(stay, source) for stay in stays], moments)
            for name, source in _sources_of(condition)
        }
        return cls(Texts.of([stay.patient_id for stay in stays]), moments, found)

    def __len__(self) -> int:
        return len(self.as_of)


def _sources_of(condition: Condition) -> list[tuple[str, str]]:
    """Returns the condition's demographics, each with what it is made of."""
    return [(name, _DEMOGRAPHIC_SOURCES[name]) for name in condition.features.demographics]


def _age(born: Column, as_of: np.ndarray) -> np.ndarray:
    births = np.asarray(born, dtype=np.int64)
    return np.where(births == UNKNOWN, np.nan, (as_of - births) / PER_DAY / DAYS_PER_YEAR)


def _sex(sex: Column, _as_of: np.ndarray) -> np.ndarray:
    return np.array([_SEXES.get(one, np.nan) for one in sex], dtype=float)


def _hours(begin: Column, as_of: np.ndarray) -> np.ndarray:
    return _hours_since(np.asarray(begin, dtype=np.int64), as_of)


def _hours_since(begin: np.ndarray, as_of: np.ndarray) -> np.ndarray:
    """Returns the hours from each begin to as_of, both in microseconds; NaN if the begin is unknown.

    It also is if the stay begins after as_of, and so is not known of then, or more than ten years before.
    """
    hours = (as_of - begin) / PER_HOUR  # from UNKNOWN, a number without a meaning
    return np.where((begin != UNKNOWN) & (hours >= 0) & (hours <= LONGEST_HOURS), hours, np.nan)


_DEMOGRAPHICS: Final[dict[str, Callable[[Column, np.ndarray], np.ndarray]]] = {
    "age": _age,
    "sex": _sex,
    "hours_in_unit": _hours,
    "hours_in_hospital": _hours,
}


def _check_index(index: pd.DataFrame, condition: Condition) -> None:
    needed = (*_INDEX_COLUMNS, *(_DEMOGRAPHIC_SOURCES[name] for name in condition.features.demographics))
    missing = [column for column in needed if column not in index]
    if missing:
        raise ValueError(f"index: column {missing[0]} is missing, expected {', '.join(needed)}; add it")
    if index["as_of"].isna().any():
        raise ValueError("index: a row has no as_of; leave out stays without a prediction time")
