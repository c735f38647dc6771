"""Turns readings into events, or sets them aside: every reading passes here between a source and a feature.

A *reading* is one raw value as a source gives it. `admit` checks its status, time, value and unit, converts it to the
variable's canonical unit, and either admits it as an event or sets it aside with a reason. Nothing is guessed, and
nothing is dropped silently. Readings and events are stored as columns (`Readings`, `Events`); the names and types of
their columns in frames are defined here, too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain
from math import isnan, nan
from typing import Final, NamedTuple, Self

import numpy as np
import pandas as pd

from wardround.core.microseconds import UNKNOWN, micros, micros_in, times_of
from wardround.core.readings import Kind, Readings
from wardround.core.same import Same
from wardround.core.texts import Texts, text_column
from wardround.spec.variables import Variable

UTC: Final = "datetime64[us, UTC]"
EVENT_COLUMNS: Final = {
    "patient_id": "str",
    "time": UTC,
    "available": UTC,
    "variable": "str",
    "value": "float64",
    "source_ref": "str",
}
# `unit` is the unit that counts: for a FHIR Quantity, its code. `other_unit` is one given beside it, or empty.
READING_COLUMNS: Final = {
    **EVENT_COLUMNS,
    "unit": "str",
    "other_unit": "str",
    "comparator": "bool",
    "status": "str",
    "problem": "str",
}
SET_ASIDE_COLUMNS: Final = {"patient_id": "str", "variable": "str", "reason": "str", "source_ref": "str"}

STATUS: Final = "status"  # entered in error, cancelled, only registered, or not known
NO_TIME: Final = "no_time"
IMPLAUSIBLE_TIME: Final = "implausible_time"  # before 1900 or after 2300
AFTER_AS_OF: Final = "after_as_of"  # dated after the prediction time
NOT_YET_AVAILABLE: Final = "not_yet_available"  # dated before as_of, but known only after it
COMPARATOR: Final = "comparator"  # <0.5 is a bound, not a value
NO_VALUE: Final = "no_value"
UNKNOWN_UNIT: Final = "unknown_unit"
UNIT_CONFLICT: Final = "unit_conflict"  # its code and its text name different units
IMPLAUSIBLE_VALUE: Final = "implausible_value"

# MIMIC's shifted dates reach 2210; no real date lies outside these limits.
EARLIEST: Final = pd.Timestamp("1900-01-01", tz="UTC")
LATEST: Final = pd.Timestamp("2300-01-01", tz="UTC")
_EARLIEST, _LATEST = micros(EARLIEST), micros(LATEST)
# FHIR statuses. With any other, there is no result, or a wrong one, or it is unclear. A status that could not be
# understood is not accepted either.
_ACCEPTED_STATUS: Final = ("final", "preliminary", "amended", "corrected", "")


@dataclass(frozen=True, eq=False)
class Events:
    """Events as columns; times in microseconds since 1970, values in canonical units."""

    patient_id: Texts
    time: np.ndarray
    available: np.ndarray
    variable: Texts
    value: np.ndarray
    source_ref: np.ndarray

    @classmethod
    def of_frame(cls, frame: pd.DataFrame) -> "Events":
        """Returns the events of a frame with EVENT_COLUMNS."""
        return cls(
            Texts.of_series(frame["patient_id"]),
            micros_in(frame["time"]),
            micros_in(frame["available"]),
            Texts.of_series(frame["variable"]),
            frame["value"].to_numpy(dtype=float),
            frame["source_ref"].to_numpy(dtype=object),
        )

    def __len__(self) -> int:
        return len(self.value)

    def frame(self) -> pd.DataFrame:
        """Returns the events as a frame (EVENT_COLUMNS)."""
        return pd.DataFrame(
            {
                "patient_id": self.patient_id.array(),
                "time": times_of(self.time),
                "available": times_of(self.available),
                "variable": self.variable.array(),
                "value": self.value,
                "source_ref": text_column(self.source_ref),
            }
        )


class SetAside(NamedTuple):
    """The readings set aside: only ids and rules, no value and no time."""

    patient_id: list[str]
    variable: list[str]
    reason: list[str]
    source_ref: list[str]

    def frame(self) -> pd.DataFrame:
        """Returns the readings set aside as a frame (SET_ASIDE_COLUMNS)."""
        return frame_of(SET_ASIDE_COLUMNS, self._asdict())


class Admitted(NamedTuple):
    """The result of `admit`: events and the readings set aside."""

    events: Events
    set_aside: SetAside


def frame_of(columns: Mapping[str, str], rows: object = None) -> pd.DataFrame:
    """Returns a frame with exactly these columns and types; `rows` is anything pandas takes, None for no rows."""
    frame = pd.DataFrame(rows, columns=list(columns))
    # A column of only NaT has no zone, and astype refuses to add one.
    utc = {name: pd.to_datetime(frame[name], utc=True) for name, kind in columns.items() if kind == UTC}
    return frame.assign(**utc).astype(dict(columns))


def empty_readings() -> pd.DataFrame:
    """Returns an empty frame of readings."""
    return frame_of(READING_COLUMNS)


def admit(readings: Readings, variables: Mapping[str, Variable], as_of: datetime | None = None) -> Admitted:
    """Checks readings and converts them to events.

    Args:
        readings: their variables must be keys of `variables`.
        variables: the spec's variables by name.
        as_of: if given, readings dated after it or known only after it are also set aside and counted.

    Returns:
        Events in canonical units, in the order of the readings, each kept once per source_ref, variable, time and
        value; and the readings set aside, with the first reason that applies.
    """
    kinds, kind, time = _Judged.of(readings.kinds, variables), readings.kind, readings.time
    value = readings.value * kinds.factor[kind] + kinds.offset[kind]
    # A value cannot be known before its own time: some systems store a value ahead of the charted time.
    available = np.maximum(readings.available, time)
    rules: list[tuple[np.ndarray, str]] = [
        (kinds.unusable[kind], STATUS),
        (kinds.doubtful[kind], ""),  # for the reason that the source gives
        (time == UNKNOWN, NO_TIME),
        ((time < _EARLIEST) | (time > _LATEST), IMPLAUSIBLE_TIME),
        *_as_of_rules(time, available, as_of),
        (kinds.bound[kind], COMPARATOR),
        (np.isnan(readings.value), NO_VALUE),
        (np.isnan(kinds.factor)[kind], UNKNOWN_UNIT),
        (kinds.conflict[kind], UNIT_CONFLICT),
        (~((value >= kinds.low[kind]) & (value <= kinds.high[kind])), IMPLAUSIBLE_VALUE),
    ]
    # The number of the first rule that applies. Texts are made only for the few readings that are set aside.
    first = np.zeros(len(readings), dtype=np.int8)
    for number, (applies, _) in reversed(list(enumerate(rules, start=1))):
        first[applies] = number
    good = first == 0
    good[_repeated(readings, value, kinds.variable, good.nonzero()[0])] = False
    kept = good.nonzero()[0]
    events = Events(
        readings.patient_id.take(kept),
        time.take(kept),
        available.take(kept),
        kinds.variable.take(kind.take(kept)),
        value.take(kept),
        readings.source_ref.take(kept),
    )
    aside = first.nonzero()[0]
    return Admitted(events, _set_aside(readings.take(aside), [rules[number - 1][1] for number in first[aside]]))


def _set_aside(readings: Readings, reasons: Sequence[str]) -> SetAside:
    kinds = [readings.kinds[number] for number in readings.kind]
    return SetAside(
        list(readings.patient_id),
        [kind.variable for kind in kinds],
        [reason or kind.problem for reason, kind in zip(reasons, kinds, strict=True)],
        readings.source_ref.tolist(),
    )


def _repeated(readings: Readings, value: np.ndarray, variable: Texts, rows: np.ndarray) -> np.ndarray:
    """Returns which of these rows repeat an earlier one: same source_ref, variable, time and value."""
    # Most have a unique source_ref, and need no comparison.
    refs = readings.source_ref.tolist()
    if len(set(refs)) == len(refs):
        return rows[:0]
    ref = Texts.of(refs).codes
    shared = rows[np.bincount(ref)[ref[rows]] > 1]
    keys = [value[shared], readings.time[shared], variable.codes[readings.kind[shared]], ref[shared]]
    order = np.lexsort(keys)
    again = np.logical_and.reduce([key[order[1:]] == key[order[:-1]] for key in keys])
    return shared[order[1:][again]]


def _as_of_rules(time: np.ndarray, available: np.ndarray, as_of: datetime | None) -> list[tuple[np.ndarray, str]]:
    if as_of is None:
        return []
    moment = micros(as_of)
    return [(time > moment, AFTER_AS_OF), (available > moment, NOT_YET_AVAILABLE)]


@dataclass(frozen=True, eq=False)
class _Judged:
    """What is known of each kind of reading: its variable, its conversion, and the rules that it breaks."""

    variable: Texts
    unusable: np.ndarray
    doubtful: np.ndarray
    bound: np.ndarray
    conflict: np.ndarray  # it names two different units
    factor: np.ndarray  # NaN for an unknown unit
    offset: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, kinds: Sequence[Kind], variables: Mapping[str, Variable]) -> Self:
        judged = chain.from_iterable(map(_judge_by(Same(variables)), kinds))
        of_all = np.fromiter(judged, dtype=float).reshape(-1, len(_OfKind._fields)).T
        flags, numbers = of_all[:_FLAGS].astype(bool), of_all[_FLAGS:]
        return cls(Texts.of([kind.variable for kind in kinds]), *flags, *numbers)


class _OfKind(NamedTuple):
    """What `_Judged` has of each kind, but the variable."""

    unusable: bool
    doubtful: bool
    bound: bool
    conflict: bool
    factor: float
    offset: float
    low: float
    high: float


_FLAGS: Final = 4  # the first fields


@lru_cache(maxsize=16)
def _judge_by(variables: Same[Mapping[str, Variable]]) -> Callable[[Kind], _OfKind]:
    """Returns the function that judges a kind by these variables. It keeps what it found of each.

    The kinds of one patient are those of nearly all.
    """
    return lru_cache(maxsize=4096)(lambda kind: _judged(kind, variables.of[kind.variable]))


def _judged(kind: Kind, variable: Variable) -> _OfKind:
    factor, offset = _conversion(variable, kind.unit)
    return _OfKind(
        unusable=kind.status not in _ACCEPTED_STATUS,
        doubtful=kind.problem != "",
        bound=kind.comparator,
        conflict=bool(kind.other_unit) and _conflicts((factor, offset), _conversion(variable, kind.other_unit)),
        factor=factor,
        offset=offset,
        low=variable.plausible.min,
        high=variable.plausible.max,
    )


def _conflicts(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Returns whether two units differ.

    Units named beside the main one can only contradict it: the same unit in other or unknown words adds nothing.
    """
    same = np.isclose(one, other, rtol=1e-6).all()
    return not same and not isnan(other[0])


def _conversion(variable: Variable, unit: str) -> tuple[float, float]:
    """Returns factor and offset; NaN for an unknown unit."""
    found = variable.conversion(unit)
    return (found.factor, found.offset) if found else (nan, nan)
