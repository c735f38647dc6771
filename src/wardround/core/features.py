"""Events in, feature rows out; no clock, network or files. Training, screening and the bedside all call this one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd

from wardround.spec.conditions import Condition, Feature

INDEX_COLUMNS: Final = ("stay_id", "patient_id", "as_of")
DEMOGRAPHIC_SOURCES: Final = {"age": "birth_date", "sex": "sex"}
DAYS_PER_YEAR: Final = 365.25
_MICROSECONDS_PER_HOUR: Final = 3_600_000_000


@dataclass(frozen=True)
class Groups:
    """Events of one window, grouped by index row and variable; inside a group sorted by time, availability, value.

    Attributes:
        value: of each event, in canonical units.
        hours: of each event, relative to its row's as_of (0 or negative).
        starts: where each group begins.
    """

    value: np.ndarray
    hours: np.ndarray
    starts: np.ndarray

    @cached_property
    def count(self) -> np.ndarray:
        return np.diff(self.starts, append=len(self.value))

    @cached_property
    def ends(self) -> np.ndarray:
        return self.starts + self.count - 1

    def sum(self, of: np.ndarray) -> np.ndarray:
        return np.add.reduceat(of, self.starts)

    def mean(self, of: np.ndarray) -> np.ndarray:
        return np.asarray(self.sum(of) / self.count)

    def centred(self, of: np.ndarray) -> np.ndarray:
        return np.asarray(of - np.repeat(self.mean(of), self.count))


def _slope(groups: Groups) -> np.ndarray:
    """Least-squares slope per hour; unknown where all events have one time."""
    hours, value = groups.centred(groups.hours), groups.centred(groups.value)
    spread = groups.sum(hours * hours)
    one_time = groups.hours[groups.starts] == groups.hours[groups.ends]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(one_time, np.nan, groups.sum(hours * value) / spread)


# What a group of events (never empty) is summarised to, by the name that condition files use.
SUMMARIES: Final[dict[str, Callable[[Groups], np.ndarray]]] = {
    "last": lambda groups: groups.value[groups.ends],
    "first": lambda groups: groups.value[groups.starts],
    "mean": lambda groups: groups.mean(groups.value),
    "min": lambda groups: np.minimum.reduceat(groups.value, groups.starts),
    "max": lambda groups: np.maximum.reduceat(groups.value, groups.starts),
    "slope": _slope,
    "count": lambda groups: groups.count.astype(float),
    "hours_since_last": lambda groups: -groups.hours[groups.ends],
}
# The value of a feature without any event: unknown, except that no event is a count of 0.
_WITHOUT_EVENTS: Final = {"count": 0.0}


def build_features(events: pd.DataFrame, index: pd.DataFrame, condition: Condition) -> pd.DataFrame:
    """The condition's features for each row of the index.

    An event counts for a row if it is about the row's patient, its time lies in the window [as_of - window, as_of],
    both ends included, and it was available at or before as_of. Events at the same time are ordered by when they
    became available and then by value, so that the result depends on no source's row order.

    Args:
        events: patient_id, time, available, variable, value (see `wardround.core.events`); any order.
        index: stay_id, patient_id, as_of; and birth_date and sex where the condition uses age and sex.
        condition: the spec.

    Returns:
        stay_id, as_of and then `condition.columns` as float64, one row per index row in the index's order. Unknown is
        NaN; a count without events is 0. age is in years, sex is 1 for male and 0 for female.

    Raises:
        ValueError: the index lacks a column or has a row without as_of.
    """
    _check_index(index, condition)
    demographics: dict[str, np.ndarray] = {name: _DEMOGRAPHICS[name](index) for name in condition.features.demographics}
    pairs = _pair(events, index, condition)
    windows = {feature.window for feature in condition.feature_list}
    grouped = {window: _Summarised(*_group(pairs, window, condition)) for window in windows}
    columns: dict[str, np.ndarray] = {
        feature.name: _column(feature, grouped[feature.window], rows=len(index), condition=condition)
        for feature in condition.feature_list
    }
    keys = index[["stay_id", "as_of"]].reset_index(drop=True)
    return pd.concat([keys, pd.DataFrame({**demographics, **columns}, index=keys.index, dtype=float)], axis=1)


def _check_index(index: pd.DataFrame, condition: Condition) -> None:
    needed = (*INDEX_COLUMNS, *(DEMOGRAPHIC_SOURCES[name] for name in condition.features.demographics))
    missing = [column for column in needed if column not in index]
    if missing:
        raise ValueError(f"index: column {missing[0]} is missing, expected {', '.join(needed)}; add it")
    if index["as_of"].isna().any():
        raise ValueError("index: a row has no as_of; leave out stays without a prediction time")


def _age(index: pd.DataFrame) -> np.ndarray:
    days = (index["as_of"].dt.tz_localize(None) - index["birth_date"]) / pd.Timedelta(days=1)
    return days.to_numpy(dtype=float) / DAYS_PER_YEAR


def _sex(index: pd.DataFrame) -> np.ndarray:
    return index["sex"].map({"male": 1.0, "female": 0.0}).to_numpy(dtype=float)


_DEMOGRAPHICS: Final[dict[str, Callable[[pd.DataFrame], np.ndarray]]] = {"age": _age, "sex": _sex}


@dataclass(frozen=True)
class _Pairs:
    """Every (index row, event) pair that the longest window admits, by row and inside a row by time."""

    row: np.ndarray
    variable: np.ndarray
    value: np.ndarray
    age: np.ndarray  # microseconds from the event to as_of

    def within(self, window: timedelta) -> "_Pairs":
        keep = self.age <= window // timedelta(microseconds=1)
        return _Pairs(self.row[keep], self.variable[keep], self.value[keep], self.age[keep])


def _pair(events: pd.DataFrame, index: pd.DataFrame, condition: Condition) -> _Pairs:
    patients = pd.Index(index["patient_id"].unique())
    variables = pd.Index(list(condition.variables))
    patient = patients.get_indexer(events["patient_id"])
    variable = variables.get_indexer(events["variable"])
    time, available = _microseconds(events["time"]), _microseconds(events["available"])
    value = events["value"].to_numpy(dtype=float)
    order = np.lexsort((value, available, time, patient))
    order = order[(patient[order] >= 0) & (variable[order] >= 0)]
    as_of = _microseconds(index["as_of"])
    longest = condition.longest_window // timedelta(microseconds=1)
    first, stop = _spans(patient[order], time[order], patients.get_indexer(index["patient_id"]), as_of - longest, as_of)
    row = np.repeat(np.arange(len(index)), stop - first)
    event = order[np.arange(len(row)) - np.repeat(np.cumsum(stop - first) - stop, stop - first)]
    known = available[event] <= as_of[row]
    row, event = row[known], event[known]
    return _Pairs(row, variable[event], value[event], as_of[row] - time[event])


def _microseconds(times: pd.Series) -> np.ndarray:
    return times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(dtype="datetime64[us]").astype(np.int64)


def _spans(
    patient: np.ndarray, time: np.ndarray, of_patient: np.ndarray, start: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each (patient, start, end): first and one-past-last place in events sorted by patient and time."""
    times = np.unique(time)
    # One integer per (patient, time), small enough for 64 bits because times are replaced by their rank.
    width = len(times) + 1
    key = patient * width + np.searchsorted(times, time)
    first = np.searchsorted(key, of_patient * width + np.searchsorted(times, start, side="left"), side="left")
    stop = np.searchsorted(key, of_patient * width + np.searchsorted(times, end, side="right"), side="left")
    return first, stop


def _group(pairs: _Pairs, window: timedelta, condition: Condition) -> tuple[Groups, np.ndarray]:
    """The window's events grouped by row and variable, and each group's key: row x number of variables + variable."""
    inside = pairs.within(window)
    key = inside.row * len(condition.variables) + inside.variable
    order = np.argsort(key, kind="stable")
    sorted_key = key[order]
    starts = np.flatnonzero(np.diff(sorted_key, prepend=-1))
    groups = Groups(inside.value[order], -inside.age[order] / _MICROSECONDS_PER_HOUR, starts)
    return groups, sorted_key[starts]


class _Summarised:
    """Groups with their keys; each summary is computed once for all variables."""

    def __init__(self, groups: Groups, keys: np.ndarray) -> None:
        self.keys = keys
        self._groups = groups
        self._values: dict[str, np.ndarray] = {}

    def values(self, summary: str) -> np.ndarray:
        if summary not in self._values:
            self._values[summary] = SUMMARIES[summary](self._groups)
        return self._values[summary]


def _column(feature: Feature, summarised: _Summarised, *, rows: int, condition: Condition) -> np.ndarray:
    column = np.full(rows, _WITHOUT_EVENTS.get(feature.summary, np.nan))
    if len(summarised.keys):
        row, variable = np.divmod(summarised.keys, len(condition.variables))
        mine = variable == list(condition.variables).index(feature.variable)
        column[row[mine]] = summarised.values(feature.summary)[mine]
    return column
