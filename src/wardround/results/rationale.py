"""Puts the reasons for a score into words, from a feature row, its contributions and the events behind it."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Final, NamedTuple, Self

import numpy as np

from wardround.features.basis import UsedEvents
from wardround.features.subjects import Subjects
from wardround.spec.base import format_duration
from wardround.spec.conditions import Condition, Feature
from wardround.spec.variables import Variable

TOP: Final = 5
DEMOGRAPHIC_WORDS: Final = {
    "age": "Age",
    "sex": "Sex",
    "hours_in_unit": "Time in the unit",
    "hours_in_hospital": "Time in the hospital",
}
_UNIT_WORDS: Final = {
    "Cel": "°C", "mm[Hg]": "mmHg", "cm[H2O]": "cmH₂O", "10*3/uL": "10³/µL", "{score}": "", "[pH]": "", "{INR}": "",
}  # fmt: skip
_PHRASES: Final = {
    "last": "latest of the last {window}",
    "first": "first of the last {window}",
    "mean": "mean of the last {window}",
    "min": "lowest of the last {window}",
    "max": "highest of the last {window}",
    "std": "spread (standard deviation) over the last {window}",
    "slope": "trend over the last {window}",
    "change": "change over the last {window}",
    # How closely somebody is watched is not physiology, and the words say so.
    "count": "how often measured in the last {window}",
    "missing": "whether measured in the last {window}",
    "hours_since_last": "time since it was last measured, within {window}",
}
_IN_DAYS: Final = 72  # hours
_LEVELS: Final = ("last", "first", "mean", "min", "max")
_COURSES: Final = ("slope", "change")
_NOT_SHOWN: Final = re.compile(r"Not shown: (\d+) inputs?")
_WORSE: Final = {"high": 1, "low": -1}
# The position, among its values (oldest first), of the event that a column stands for. Of equal values the latest
# counts: its age is the one that a reader at the bedside can act on.
_SINGLE_EVENT: Final[dict[str, Callable[[np.ndarray], int]]] = {
    "last": lambda values: len(values) - 1,
    "first": lambda _: 0,
    "min": lambda values: len(values) - 1 - int(np.argmin(values[::-1])),
    "max": lambda values: len(values) - 1 - int(np.argmax(values[::-1])),
}
# Noise in the last digits of a float must not change the order; ties keep the order of the columns.
_DIGITS: Final = 9


class Expected(NamedTuple):
    """What a column's value points to: 1 a higher risk, -1 a lower one; between `low` and `high` neither is clear."""

    low: float
    high: float
    below: int
    above: int

    def expected_direction(self, value: float) -> int:
        return self.below if value < self.low else self.above if value > self.high else 0


@dataclass(frozen=True, eq=False)
class Columns:
    """The words and expectations for a condition's columns, prepared once for many rows.

    Attributes:
        subjects: the variables and demographics of the columns.
        features: the feature of each column; None for a demographic.
        words: the words for each column.
        inputs: the words for each subject.
        expected: what each column's value points to; None if that is never clear.
    """

    subjects: Subjects
    features: tuple[Feature | None, ...]
    words: tuple[str, ...]
    inputs: tuple[str, ...]
    expected: tuple[Expected | None, ...]

    @classmethod
    def of(cls, condition: Condition, usual: Mapping[str, float] = MappingProxyType({})) -> Self:
        """Prepares the columns; `usual` holds each column's value in the model's reference patient, where known."""
        demographics = (None,) * len(condition.features.demographics)
        expected = (_expected(feature, condition, usual.get(feature.name)) for feature in condition.feature_list)
        subjects, variables = Subjects.of(condition), condition.variables
        return cls(
            subjects,
            (*demographics, *condition.feature_list),
            tuple(column_words(condition).values()),
            tuple(DEMOGRAPHIC_WORDS.get(name) or variables[name].display for name in subjects.names),
            (*demographics, *expected),
        )

    @property
    def condition(self) -> Condition:
        return self.subjects.condition


class Move(NamedTuple):
    """How far a variable or a demographic moved a score, and the column that represents it, with its value."""

    column: str
    place: int
    value: float
    by: float


class Strongest(NamedTuple):
    """The moves of a row that are shown, largest first, and how many equally large ones were left out."""

    moves: tuple[Move, ...]
    left_out: int


def strongest(values: np.ndarray, contributions: np.ndarray, columns: Columns, top: int = TOP) -> list[Strongest]:
    """Returns the moves to show for each row.

    The columns of a variable move a score together, so their contributions are added up; the column that did most in
    the direction of the sum represents all of them. A move against clinical expectation is left out (decision 32):
    the value is on the side of higher risk but lowers the score, or on the side of lower risk but raises it.
    """
    moves, speakers = _moves(contributions, columns.subjects)
    ranked = np.argsort(-np.abs(moves), axis=1, kind="stable")
    row = np.arange(len(values))[:, None]
    moves, speakers = moves[row, ranked], speakers[row, ranked]
    known = values[row, speakers]
    rows = zip(moves.tolist(), speakers.tolist(), known.tolist(), strict=True)
    return [_shown(by, places, at, columns, top) for by, places, at in rows]


def _moves(contributions: np.ndarray, subjects: Subjects) -> tuple[np.ndarray, np.ndarray]:
    """Returns rows x subjects: how far each subject moved the score, and the position of its representing column."""
    mine, starts, sizes = contributions[:, subjects.columns], subjects.starts, subjects.sizes
    moves = np.add.reduceat(mine, starts, axis=1).round(_DIGITS)
    along = (mine * np.where(moves > 0, 1.0, -1.0).repeat(sizes, axis=1)).round(_DIGITS)
    most = np.maximum.reduceat(along, starts, axis=1).repeat(sizes, axis=1)
    first = np.where(along == most, np.arange(along.shape[1]), along.shape[1])
    return moves, subjects.columns[np.minimum.reduceat(first, starts, axis=1)]


def _shown(
    moves: Sequence[float], speakers: Sequence[int], values: Sequence[float], columns: Columns, top: int
) -> Strongest:
    """Returns the moves to show for one row, those that moved the score most first."""
    names = columns.condition.columns
    shown: list[Move] = []
    left_out = 0
    for by, place, value in zip(moves, speakers, values, strict=True):
        if len(shown) == top or not by:
            break
        expected = columns.expected[place]
        if expected is not None and expected.expected_direction(value) * by < 0:
            left_out += 1
        else:
            shown.append(Move(names[place], place, value, by))
    return Strongest(tuple(shown), left_out)


def reasons(
    values: np.ndarray, contributions: np.ndarray, used: Sequence[UsedEvents], columns: Columns, top: int = TOP
) -> list[tuple[str, ...]]:
    """Returns what moved each score most, in words, with units and ages of values: at most one reason per variable.

    They are the moves that `strongest` returns; if any were left out, a last reason says how many.

    Args:
        values: rows x the condition's columns, in the units of the spec; NaN is unknown.
        contributions: how far each column moved the score of each row; a positive number raises it.
        used: the events behind each row.
        columns: the prepared columns of the condition.
        top: the largest number of moves to show.
    """
    shown = strongest(values, contributions, columns, top)
    return [_told(one, mine, columns) for one, mine in zip(shown, used, strict=True)]


def _told(shown: Strongest, used: UsedEvents, columns: Columns) -> tuple[str, ...]:
    texts = tuple(f"{_describe(move, used, columns)}; {_direction(move.by)}" for move in shown.moves)
    return (*texts, _not_shown(shown.left_out)) if shown.left_out else texts


def left_out_of(texts: Iterable[str]) -> int:
    """Returns how many inputs were left out of the reasons for one score."""
    found = (_NOT_SHOWN.match(text) for text in texts)
    return sum(int(match[1]) for match in found if match)


def _not_shown(number: int) -> str:
    inputs = "1 input that moves" if number == 1 else f"{number} inputs that move"
    return f"Not shown: {inputs} the score against what is clinically expected"


def _expected(feature: Feature, condition: Condition, usual: float | None) -> Expected | None:
    variable = condition.variables[feature.variable]
    if variable.usual_range:
        within = variable.usual_range
        return Expected(within.min, within.max, below=1, above=1) if feature.summary in _LEVELS else None
    worse = _WORSE.get(variable.risk_rises_with)
    if worse is None or feature.summary not in (*_LEVELS, *_COURSES):
        return None
    # Both a healthy adult's value and that of the model's reference patient: between the two, neither direction is
    # clear. For a change or a trend the healthy value is 0.
    healthy = variable.typical if feature.summary in _LEVELS else 0.0
    known = [one for one in (healthy, usual) if one is not None]
    return Expected(min(known), max(known), below=-worse, above=worse) if known else None


def missing_inputs(values: np.ndarray, columns: Columns) -> list[tuple[str, ...]]:
    """Returns, for each row, the names of the inputs of which nothing is known, in the order of the columns."""
    known, names = columns.subjects.known(values).tolist(), columns.inputs
    return [tuple(name for name, is_known in zip(names, row, strict=True) if not is_known) for row in known]


def unit_in_words(unit: str) -> str:
    """Returns a UCUM unit as clinicians write it; "" for a number without a unit."""
    return _UNIT_WORDS.get(unit, unit)


def column_words(condition: Condition) -> dict[str, str]:
    """Returns each column of the condition in words: `Lactate, highest of the last 24 h`."""
    named: dict[str, str] = {name: DEMOGRAPHIC_WORDS[name] for name in condition.features.demographics}
    return {**named, **{feature.name: _what(feature, condition) for feature in condition.feature_list}}


def _what(feature: Feature, condition: Condition) -> str:
    phrase = _PHRASES[feature.summary].format(window=_words(feature.window))
    return f"{condition.variables[feature.variable].display}, {phrase}"


def _unknown(value: float) -> bool:
    return value != value


def _direction(contribution: float) -> str:
    return "raises the risk" if contribution > 0 else "lowers the risk"


def _describe(move: Move, used: UsedEvents, columns: Columns) -> str:
    feature, what = columns.features[move.place], columns.words[move.place]
    if _unknown(move.value):
        return f"{what}: not known"
    if feature is None:
        return _DEMOGRAPHICS[move.column](move.value)
    quantity = _quantity(feature, move.value, columns.condition.variables[feature.variable])
    return f"{what}: {quantity}{_age(feature, used)}"


def _span(hours: float) -> str:
    """Returns a time spent somewhere: up to three days in whole hours, and beyond that in days."""
    if round(hours) >= _IN_DAYS:
        return f"{round(hours / 24)} days"
    return f"{round(hours)} h" if round(hours) else "less than 1 h"


_DEMOGRAPHICS: Final[dict[str, Callable[[float], str]]] = {
    "age": lambda value: f"Age: {int(value)} years",
    "sex": lambda value: f"Sex: {'male' if value == 1 else 'female'}",
    "hours_in_unit": lambda value: f"In the unit for {_span(value)}",
    "hours_in_hospital": lambda value: f"In the hospital for {_span(value)}",
}


def _quantity(feature: Feature, value: float, variable: Variable) -> str:
    unit = unit_in_words(variable.unit)
    match feature.summary:
        case "count":
            return f"{value:.0f} time{'' if round(value) == 1 else 's'}"
        case "hours_since_last":
            return f"{value:.1f} h"
        case "missing":
            return "no" if value else "yes"
        case "slope":
            return " ".join(f"{_number(value, signed=True)} {unit} per hour".split())
        case "change":
            return f"{_number(value, signed=True)} {unit}".strip()
        case _:
            return f"{_number(value)} {unit}".strip()


def _number(value: float, signed: bool = False) -> str:
    """Returns a number with two decimal places below 10, one above; no trailing zeros."""
    places = 2 if abs(value) < 10 else 1
    text = f"{value:+.{places}f}" if signed else f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".")


def _age(feature: Feature, used: UsedEvents) -> str:
    """Returns in words when the feature's events were."""
    if feature.summary in ("count", "missing", "hours_since_last"):
        return ""
    hours_before, values = used.of(feature.variable, feature.window / timedelta(hours=1))
    if not len(values):
        return ""
    if feature.summary in _SINGLE_EVENT:
        return f" ({hours_before[_SINGLE_EVENT[feature.summary](values)]:.1f} h before)"
    many = "1 value" if len(values) == 1 else f"{len(values)} values"
    return f" ({many}, latest {hours_before[-1]:.1f} h before)"


def _words(window: timedelta) -> str:
    text = format_duration(window)
    return f"{text[:-1]} {'min' if text.endswith('m') else 'h'}"
