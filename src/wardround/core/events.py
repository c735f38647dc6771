"""Readings in, events and set-aside out: the one gate between every source and every feature.

A *reading* is one raw value as a source gives it. `admit` checks status, time, value and unit, converts to the
variable's canonical unit, and either lets it through as an event or sets it aside with a reason. Nothing is guessed,
and nothing is dropped silently.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

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
# `unit` is what counts: of a FHIR Quantity its code. `other_unit` is what stands beside it in other words, or nothing.
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
UNIT_CONFLICT: Final = "unit_conflict"  # its code and its text are two units
IMPLAUSIBLE_VALUE: Final = "implausible_value"

_OWN_PROBLEM: Final = "own problem"  # stands for what a reading says of itself

# MIMIC's shifted dates reach 2210; nothing real lies outside.
EARLIEST: Final = pd.Timestamp("1900-01-01", tz="UTC")
LATEST: Final = pd.Timestamp("2300-01-01", tz="UTC")
# Of FHIR: with any other there is no result, or a wrong one, or nobody knows. None is of what could not be understood.
_ACCEPTED_STATUS: Final = ("final", "preliminary", "amended", "corrected", "")


class Admitted(NamedTuple):
    """Events (EVENT_COLUMNS) and what was set aside (SET_ASIDE_COLUMNS: no value and no time, ids and rules only)."""

    events: pd.DataFrame
    set_aside: pd.DataFrame


def frame_of(columns: Mapping[str, str], rows: object = None) -> pd.DataFrame:
    """A frame with exactly these columns and types; `rows` is anything pandas takes, None for no rows."""
    frame = pd.DataFrame(rows, columns=list(columns))
    # A column of nothing but NaT has no zone, and astype would refuse to give it one.
    utc = {name: pd.to_datetime(frame[name], utc=True) for name, kind in columns.items() if kind == UTC}
    return frame.assign(**utc).astype(dict(columns))


def empty_readings() -> pd.DataFrame:
    """Readings of a source that has none."""
    return frame_of(READING_COLUMNS)


def admit(readings: pd.DataFrame, variables: Mapping[str, Variable], as_of: pd.Timestamp | None = None) -> Admitted:
    """Checks and converts readings.

    Args:
        readings: one row per value (READING_COLUMNS); `variable` must be a key of `variables`.
        variables: the spec's variables by name.
        as_of: when given, what is dated or became known after it is set aside and counted too.

    Returns:
        Events in canonical units, in the order of the readings, each kept once per source_ref, variable, time and
        value; and the set-aside readings with the first reason that applies.
    """
    factor, offset, conflict, low, high = _rules(readings, variables)
    value = readings["value"].to_numpy(dtype=float) * factor + offset
    time = readings["time"]
    # A value cannot be known before it is true: some systems store ahead of the charted time.
    available = readings["available"].fillna(time).where(lambda known: known >= time, time)
    rules: list[tuple[np.ndarray, str]] = [
        (~readings["status"].isin(_ACCEPTED_STATUS).to_numpy(), STATUS),
        ((readings["problem"] != "").to_numpy(), _OWN_PROBLEM),
        (time.isna().to_numpy(), NO_TIME),
        (~time.between(EARLIEST, LATEST).to_numpy(), IMPLAUSIBLE_TIME),
        *_as_of_rules(time, available, as_of),
        (readings["comparator"].to_numpy(dtype=bool), COMPARATOR),
        (np.isnan(readings["value"].to_numpy(dtype=float)), NO_VALUE),
        (np.isnan(factor), UNKNOWN_UNIT),
        (conflict, UNIT_CONFLICT),
        (~((value >= low) & (value <= high)), IMPLAUSIBLE_VALUE),
    ]
    # The number of the first rule that applies: texts are made for what is set aside alone, which is little.
    first = np.zeros(len(readings), dtype=np.int8)
    for number, (applies, _) in reversed(list(enumerate(rules, start=1))):
        first[applies] = number
    admitted = first == 0
    # What is repeated is left out before any column is cut: to copy the texts takes longer than all of the rules.
    kept = np.flatnonzero(admitted & ~_repeated(readings, value, admitted))
    events = readings[list(EVENT_COLUMNS)].take(kept)
    aside = np.flatnonzero(~admitted)
    names = np.array(["", *(name for _, name in rules)], dtype=object)
    return Admitted(
        events.assign(value=value[kept], available=available.take(kept)).reset_index(drop=True),
        _set_aside(readings.take(aside), names[first[aside]]),
    )


def _set_aside(readings: pd.DataFrame, reason: np.ndarray) -> pd.DataFrame:
    own = readings["problem"].to_numpy(dtype=object)
    reason = np.where(reason == _OWN_PROBLEM, own, reason)
    return readings.assign(reason=reason)[list(SET_ASIDE_COLUMNS)].astype({"reason": "str"}).reset_index(drop=True)


def _repeated(readings: pd.DataFrame, value: np.ndarray, admitted: np.ndarray) -> np.ndarray:
    """Whether an admitted reading was there before: same source_ref, variable, time and value."""
    # Most have a source_ref of their own, and comparing four columns takes many times as long as this.
    shared = np.flatnonzero(readings["source_ref"].duplicated(keep=False).to_numpy() & admitted)
    repeated = np.zeros(len(readings), dtype=bool)
    if len(shared):
        names = ["source_ref", "variable", "time"]
        repeated[shared] = readings[names].take(shared).assign(value=value[shared]).duplicated()
    return repeated


def _as_of_rules(time: pd.Series, available: pd.Series, as_of: pd.Timestamp | None) -> list[tuple[np.ndarray, str]]:
    if as_of is None:
        return []
    return [((time > as_of).to_numpy(), AFTER_AS_OF), ((available > as_of).to_numpy(), NOT_YET_AVAILABLE)]


def _rules(readings: pd.DataFrame, variables: Mapping[str, Variable]) -> tuple[np.ndarray, ...]:
    """Per reading: factor and offset (NaN: unknown unit), whether it names two units, and the plausible range.

    What is named beside the unit can only contradict it: the same in other words, or in unknown ones, says no more.
    """
    codes, names = pd.factorize(readings["variable"])
    factor, offset = _conversions(codes, names, readings["unit"], variables)
    conflict = np.zeros(len(readings), dtype=bool)
    other = readings["other_unit"]
    named = np.flatnonzero((other.notna() & (other != "")).to_numpy())
    if len(named):
        others = _conversions(codes[named], names, other.iloc[named], variables)
        same = np.isclose((factor[named], offset[named]), others, rtol=1e-6).all(axis=0)
        conflict[named] = ~same & ~np.isnan(others[0])
    ranges = np.array([(variables[name].plausible.min, variables[name].plausible.max) for name in names])
    low, high = ranges.reshape(-1, 2)[codes].T
    return factor, offset, conflict, low, high


def _conversions(
    variable_codes: np.ndarray, names: pd.Index, unit: pd.Series, variables: Mapping[str, Variable]
) -> np.ndarray:
    """Two rows, factors and offsets; each unit that a variable occurs with is looked up once."""
    unit_codes, units = pd.factorize(unit)
    occurs = np.zeros((len(names), len(units)), dtype=bool)
    occurs[variable_codes, unit_codes] = True
    table = np.full((*occurs.shape, 2), np.nan)
    for row, column in zip(*np.nonzero(occurs), strict=True):
        conversion = variables[names[row]].conversion(units[column])
        if conversion is not None:
            table[row, column] = conversion.factor, conversion.offset
    return table[variable_codes, unit_codes].T
