"""Builds feature rows from events, for training, screening and the bedside alike. Uses no clock, network or files."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from wardround.core.events import Events
from wardround.core.microseconds import PER_HOUR, micros_long
from wardround.core.runs import end_of_each, first_of_each
from wardround.core.same import Same
from wardround.features.index import Index
from wardround.spec.conditions import Condition

ROWS_AT_ONCE: Final = 2048
"""How many index rows are worked on together, which bounds the memory in use, however long the index is."""


@dataclass(frozen=True)
class Groups:
    """Events of one window, grouped by index row and variable; within a group by time, availability and value.

    Attributes:
        value: the value of each event, in canonical units.
        hours: the time of each event relative to its row's as_of (0 or negative).
        starts: where each group begins.
    """

    value: np.ndarray
    hours: np.ndarray
    starts: np.ndarray

    @cached_property
    def count(self) -> np.ndarray:
        return end_of_each(self.starts, len(self.value)) - self.starts

    @cached_property
    def ends(self) -> np.ndarray:
        """Returns the place of the last event of each group."""
        return self.starts + self.count - 1

    @cached_property
    def mean(self) -> np.ndarray:
        return self._mean(self.value)

    @cached_property
    def one_time(self) -> np.ndarray:
        return np.asarray(self.hours[self.starts] == self.hours[self.ends])

    @cached_property
    def centred(self) -> np.ndarray:
        """Returns each value minus the mean of its group."""
        return np.asarray(self.value - self.mean.repeat(self.count))

    @cached_property
    def centred_hours(self) -> np.ndarray:
        return np.asarray(self.hours - self._mean(self.hours).repeat(self.count))

    def sum(self, of: np.ndarray) -> np.ndarray:
        return np.add.reduceat(of, self.starts)

    def _mean(self, of: np.ndarray) -> np.ndarray:
        return np.asarray(self.sum(of) / self.count)


def _slope(groups: Groups) -> np.ndarray:
    """Returns the least-squares slope per hour; unknown if all events have the same time."""
    spread = groups.sum(groups.centred_hours**2)
    slope = groups.sum(groups.centred_hours * groups.centred) / spread
    return np.where(groups.one_time, np.nan, slope)


def _std(groups: Groups) -> np.ndarray:
    """Returns the sample standard deviation; unknown for a single event."""
    variance = groups.sum(groups.centred**2) / (groups.count - 1)
    return np.asarray(np.sqrt(np.where(groups.count > 1, variance, np.nan)))


def _change(groups: Groups) -> np.ndarray:
    """Returns the last value minus the first; unknown if all events have the same time."""
    change = groups.value[groups.ends] - groups.value[groups.starts]
    return np.where(groups.one_time, np.nan, change)


# How a group of events (never empty) is summarised, by the name that condition files use. Whoever calls one ignores
# divisions by zero, whose results none of them returns.
SUMMARIES: Final[dict[str, Callable[[Groups], np.ndarray]]] = {
    "last": lambda groups: groups.value[groups.ends],
    "first": lambda groups: groups.value[groups.starts],
    "mean": lambda groups: groups.mean,
    "min": lambda groups: np.minimum.reduceat(groups.value, groups.starts),
    "max": lambda groups: np.maximum.reduceat(groups.value, groups.starts),
    "std": _std,
    "slope": _slope,
    "change": _change,
    "count": lambda groups: groups.count.astype(float),
    "missing": lambda groups: np.zeros(len(groups.starts)),
    "hours_since_last": lambda groups: -groups.hours[groups.ends],
}
# The value of a feature without events: unknown, except for the features that say how much is known.
WITHOUT_EVENTS: Final = {"count": 0.0, "missing": 1.0}


def build_features(events: Events, index: pd.DataFrame, condition: Condition) -> pd.DataFrame:
    """Returns the table of `feature_values`: stay_id, as_of and then `condition.columns`, in the order of the index.

    Args:
        events: in any order.
        index: stay_id, patient_id, as_of; and what the condition's demographics are made of: birth_date, sex,
            unit_begin, hospital_begin.
        condition: the spec.

    Raises:
        ValueError: the index lacks a column or has a row without as_of.
    """
    values = feature_values(events, Index.of_frame(index, condition), condition)
    keys = index[["stay_id", "as_of"]].reset_index(drop=True)
    return pd.concat([keys, pd.DataFrame(values, index=keys.index, columns=list(condition.columns))], axis=1)


def feature_values(events: Events, index: Index, condition: Condition) -> np.ndarray:
    """Returns the condition's features for each row of the index.

    An event counts for a row if it belongs to the row's patient, its time lies in the window [as_of - window, as_of],
    both ends included, and it was available at or before as_of. Events at the same time are ordered by when they
    became available and then by value, so that the result does not depend on the source's row order.

    Args:
        events: in any order.
        index: the rows.
        condition: the spec.

    Returns:
        Rows x `condition.columns`. Unknown is NaN; a count without events is 0, and `missing` is 1.
    """
    series = _series(events, index, condition)
    columns = _columns_of(Same(condition))
    demographics = condition.features.demographics
    values = np.empty((len(index), len(condition.columns)))
    for number, name in enumerate(demographics):
        values[:, number] = index.demographics[name]
    for start in range(0, len(index), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        values[rows, len(demographics) :] = columns.values(series.before(rows))
    return values


@dataclass(frozen=True)
class _Pairs:
    """Every (index row, event) pair inside the longest window, by row and variable, and then by time."""

    cell: np.ndarray  # row x number of variables + variable
    value: np.ndarray
    age: np.ndarray  # microseconds from the event to as_of
    rows: int

    def within(self, window: timedelta, wanted: np.ndarray) -> "_Pairs":
        """Returns the pairs inside a shorter window, for the variables that are True in `wanted`."""
        keep = (self.age <= micros_long(window)) & wanted[self.cell % len(wanted)]
        return self if keep.all() else _Pairs(self.cell[keep], self.value[keep], self.age[keep], self.rows)

    def groups(self) -> tuple[Groups, np.ndarray]:
        """Returns the pairs grouped by row and variable, and the cell of each group."""
        starts = first_of_each(self.cell)
        return Groups(self.value, -self.age / PER_HOUR, starts), self.cell[starts]


@dataclass(frozen=True)
class _Series:
    """The events sorted by patient, variable, time, availability and value, and the range for each index row."""

    time: np.ndarray
    available: np.ndarray
    value: np.ndarray
    key: np.ndarray  # increases with patient, variable and time
    as_of: np.ndarray  # of each index row
    cells: np.ndarray  # index rows x variables: the key before the first time of that patient and variable
    first: np.ndarray  # for each index row: rank of the first time in the longest window
    stop: np.ndarray  # for each index row: rank of the first time after as_of

    def before(self, rows: slice) -> _Pairs:
        """Returns the pairs of some index rows, which are numbered from 0."""
        first = self.key.searchsorted((self.cells[rows] + self.first[rows, None]).ravel())
        count = self.key.searchsorted((self.cells[rows] + self.stop[rows, None]).ravel()) - first
        cell = np.arange(len(count)).repeat(count)
        event = np.arange(len(cell)) + (first - count.cumsum() + count).repeat(count)
        as_of = self.as_of[rows].repeat(count.reshape(-1, self.cells.shape[1]).sum(axis=1))
        known = self.available[event] <= as_of
        cell, event, as_of = cell[known], event[known], as_of[known]
        return _Pairs(cell, self.value[event], as_of - self.time[event], len(self.as_of[rows]))


def _series(events: Events, index: Index, condition: Condition) -> _Series:
    patients, names = index.patient_id, list(condition.variables)
    patient, variable = events.patient_id.places_in(patients.names), events.variable.places_in(names)
    known = (patient >= 0) & (variable >= 0)
    group = (patient * len(names) + variable)[known]
    time, available, value = events.time[known], events.available[known], events.value[known]
    order = np.lexsort((value, available, time, group))
    # One integer per patient, variable and time. It fits into 64 bits because times are replaced by their rank.
    times = np.sort(time)
    times = times[first_of_each(times)]
    width = len(times) + 1
    as_of = index.as_of
    own = patients.codes[:, None] * len(names) + np.arange(len(names))
    return _Series(
        time=time[order],
        available=available[order],
        value=value[order],
        key=group[order] * width + times.searchsorted(time[order]),
        as_of=as_of,
        cells=own * width,
        first=times.searchsorted(as_of - micros_long(condition.longest_window), side="left"),
        stop=times.searchsorted(as_of, side="right"),
    )


class _Filled(NamedTuple):
    """What one window fills of the result.

    Attributes:
        window: its length.
        wanted: for each variable of the spec, whether a column is about it.
        summaries: the names of the summaries, each once.
        without_events: the value of each summary for a variable without events.
        columns: the positions of the columns in the result.
        places: where the value of each column is in a row with all summaries of each variable of the spec.
    """

    window: timedelta
    wanted: np.ndarray
    summaries: tuple[str, ...]
    without_events: np.ndarray
    columns: np.ndarray
    places: np.ndarray


@dataclass(frozen=True, eq=False)
class _Columns:
    """The result columns that each window fills, and the numbers of the spec's variables and of all columns."""

    filled: tuple[_Filled, ...]
    variables: int
    width: int

    @classmethod
    def of(cls, condition: Condition) -> "_Columns":
        features, variables = condition.feature_list, len(condition.variables)
        place = {name: number for number, name in enumerate(condition.variables)}
        filled = []
        for window in dict.fromkeys(feature.window for feature in features):
            mine = [(column, feature) for column, feature in enumerate(features) if feature.window == window]
            summaries = tuple(dict.fromkeys(feature.summary for _, feature in mine))
            variable = np.array([place[feature.variable] for _, feature in mine])
            filled.append(
                _Filled(
                    window,
                    np.isin(np.arange(variables), variable),
                    summaries,
                    np.array([WITHOUT_EVENTS.get(name, np.nan) for name in summaries]),
                    np.array([column for column, _ in mine]),
                    variable * len(summaries) + [summaries.index(feature.summary) for _, feature in mine],
                )
            )
        return cls(tuple(filled), variables, len(features))

    def values(self, pairs: _Pairs) -> np.ndarray:
        """Returns rows x columns: every windowed feature of the rows that the pairs belong to."""
        values = np.empty((pairs.rows, self.width))
        for one in self.filled:
            groups, cells = pairs.within(one.window, one.wanted).groups()
            # The number of each cell's group; a cell without events gets what stands behind the last group.
            group = np.full(pairs.rows * self.variables, len(cells))
            group[cells] = np.arange(len(cells))
            found = np.empty((len(cells) + 1, len(one.summaries)))
            found[-1] = one.without_events
            if len(cells):
                with np.errstate(divide="ignore", invalid="ignore"):
                    for number, name in enumerate(one.summaries):
                        found[:-1, number] = SUMMARIES[name](groups)
            # All summaries of all variables, of which the columns are some: a row of `found` is copied at once.
            of_all = found.take(group, axis=0).reshape(pairs.rows, -1)
            values[:, one.columns] = of_all.take(one.places, axis=1)
        return values


@lru_cache(maxsize=16)
def _columns_of(same: Same[Condition]) -> _Columns:
    """Returns the columns, made once for a condition: for one stay, making them takes as long as filling them."""
    return _Columns.of(same.of)
