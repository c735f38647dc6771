"""A feature row, its contributions and the events behind it in; the reasons for a score in words out."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Final, NamedTuple, Self

from wardround.features.basis import UsedEvent
from wardround.features.build import WITHOUT_EVENTS
from wardround.spec.base import format_duration
from wardround.spec.conditions import Condition, Feature
from wardround.spec.variables import Variable

TOP: Final = 5
DEMOGRAPHIC_WORDS: Final = {"age": "Age", "sex": "Sex"}
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
    # How closely somebody is watched, which is no physiology: their words say so.
    "count": "how often measured in the last {window}",
    "missing": "whether measured in the last {window}",
    "hours_since_last": "time since it was last measured, within {window}",
}
_LEVELS: Final = ("last", "first", "mean", "min", "max")
_COURSES: Final = ("slope", "change")
_NOT_SHOWN: Final = re.compile(r"Not shown: (\d+) inputs?")
_WORSE: Final = {"high": 1, "low": -1}
# Of equal values the latest counts: it is the age that a reader at the bedside can act on.
_SINGLE_EVENT: Final[dict[str, Callable[[Sequence[UsedEvent]], UsedEvent]]] = {
    "last": lambda events: events[-1],
    "first": lambda events: events[0],
    "min": lambda events: min(reversed(events), key=lambda event: event.value),
    "max": lambda events: max(reversed(events), key=lambda event: event.value),
}


@dataclass(frozen=True)
class Columns:
    """A condition's columns, looked up once for many rows.

    Attributes:
        condition: the spec.
        features: the windowed ones by name.
        by_subject: the columns of each variable and each demographic.
        usual: the value of a column in the patient with whom the model compares, where it is known.
    """

    condition: Condition
    features: Mapping[str, Feature]
    by_subject: Mapping[str, Sequence[str]]
    usual: Mapping[str, float]

    @classmethod
    def of(cls, condition: Condition, usual: Mapping[str, float] = MappingProxyType({})) -> Self:
        features = {feature.name: feature for feature in condition.feature_list}
        by_subject: dict[str, list[str]] = {}
        for column in condition.columns:
            by_subject.setdefault(features[column].variable if column in features else column, []).append(column)
        return cls(condition, features, by_subject, usual)


class Move(NamedTuple):
    """How far a variable or a demographic moved a score, and the column that speaks for it."""

    subject: str
    column: str
    by: float


def strongest(
    row: Mapping[str, float], contributions: Mapping[str, float], columns: Columns, top: int = TOP
) -> tuple[tuple[Move, ...], int]:
    """The moves that are shown, the largest first, and how many as large were left out.

    The columns of a variable move a score together, so their contributions are added up; the column that did most in
    the direction of the sum speaks for all of them. A move against what is clinically expected is left out (decision
    32): the value is on the side of higher risk and lowers the score, or on that of lower risk and raises it.
    """
    # Rounded, so that noise in the last digits of a float changes no order; ties keep the order of the columns.
    moves = {
        subject: round(sum(contributions[column] for column in mine), 9) for subject, mine in columns.by_subject.items()
    }
    shown: list[Move] = []
    left_out = 0
    for subject in sorted(moves, key=lambda subject: -abs(moves[subject])):
        if len(shown) == top or not moves[subject]:
            break
        column = _speaker(columns.by_subject[subject], contributions, moves[subject])
        if _against_expectation(column, row[column], moves[subject], columns):
            left_out += 1
        else:
            shown.append(Move(subject, column, moves[subject]))
    return tuple(shown), left_out


def reasons(
    row: Mapping[str, float],
    contributions: Mapping[str, float],
    used: Sequence[UsedEvent],
    columns: Columns,
    top: int = TOP,
) -> tuple[str, ...]:
    """What moved one score most, in words, with units and ages of values: at most one reason a variable.

    Those that `strongest` gives; a last one says how many were left out, if any were.

    Args:
        row: the condition's columns, in the units of the spec; NaN is unknown.
        contributions: how far each column moved the score; positive raises it.
        used: the events behind the row, oldest first.
        columns: the condition's.
        top: at most so many.
    """
    shown, left_out = strongest(row, contributions, columns, top)
    events: dict[str, list[UsedEvent]] = {}
    for event in used:
        events.setdefault(event.variable, []).append(event)
    texts = tuple(
        f"{_describe(move.column, row[move.column], events.get(move.subject, ()), columns)}; {_direction(move.by)}"
        for move in shown
    )
    return (*texts, _not_shown(left_out)) if left_out else texts


def left_out_of(texts: Iterable[str]) -> int:
    """How many inputs were left out of the reasons of one score."""
    found = (_NOT_SHOWN.match(text) for text in texts)
    return sum(int(match[1]) for match in found if match)


def _not_shown(number: int) -> str:
    inputs = "1 input that moves" if number == 1 else f"{number} inputs that move"
    return f"Not shown: {inputs} the score against what is clinically expected"


def _against_expectation(column: str, value: float, move: float, columns: Columns) -> bool:
    """Whether a value that speaks for a higher risk lowers the score, or one that speaks for a lower risk raises it."""
    feature = columns.features.get(column)
    if feature is None or _unknown(value):
        return False
    speaks = _speaks_for(value, feature, columns)
    return speaks * move < 0


def _speaks_for(value: float, feature: Feature, columns: Columns) -> int:
    """1 for a higher risk, -1 for a lower one, 0 where that is not plain."""
    variable = columns.condition.variables[feature.variable]
    if variable.usual_range:
        usual = variable.usual_range
        return int(feature.summary in _LEVELS and not usual.min <= value <= usual.max)
    worse = _WORSE.get(variable.risk_rises_with)
    if worse is None or feature.summary not in (*_LEVELS, *_COURSES):
        return 0
    # Both a healthy adult's value and that of the patient with whom the model compares: between the two nothing is
    # plain. Of a change or a trend the usual is none.
    healthy = variable.typical if feature.summary in _LEVELS else 0.0
    known = [one for one in (healthy, columns.usual.get(feature.name)) if one is not None]
    if not known or min(known) <= value <= max(known):
        return 0
    return worse if value > max(known) else -worse


def _speaker(columns: Sequence[str], contributions: Mapping[str, float], move: float) -> str:
    sign = 1 if move > 0 else -1
    return max(columns, key=lambda column: round(sign * contributions[column], 9))


def missing_inputs(row: Mapping[str, float], columns: Columns) -> tuple[str, ...]:
    """The names of the inputs of which nothing is known, in the order of the columns."""
    demographics = columns.condition.features.demographics
    missing = [DEMOGRAPHIC_WORDS[name] for name in demographics if _unknown(row[name])]
    windowed = ((subject, mine) for subject, mine in columns.by_subject.items() if subject not in DEMOGRAPHIC_WORDS)
    unknown = [name for name, mine in windowed if all(_without_event(columns.features[one], row[one]) for one in mine)]
    return (*missing, *(columns.condition.variables[name].display for name in unknown))


def _without_event(feature: Feature, value: float) -> bool:
    return _unknown(value) or value == WITHOUT_EVENTS.get(feature.summary)


def unit_in_words(unit: str) -> str:
    """A UCUM unit as clinicians write it; "" for a number without one."""
    return _UNIT_WORDS.get(unit, unit)


def column_words(condition: Condition) -> dict[str, str]:
    """Each column of the condition in words: `Lactate, highest of the last 24 h`."""
    named: dict[str, str] = {name: DEMOGRAPHIC_WORDS[name] for name in condition.features.demographics}
    return {**named, **{feature.name: _what(feature, condition) for feature in condition.feature_list}}


def _what(feature: Feature, condition: Condition) -> str:
    phrase = _PHRASES[feature.summary].format(window=_words(feature.window))
    return f"{condition.variables[feature.variable].display}, {phrase}"


def _unknown(value: float) -> bool:
    return value != value


def _direction(contribution: float) -> str:
    return "raises the risk" if contribution > 0 else "lowers the risk"


def _describe(column: str, value: float, events: Sequence[UsedEvent], columns: Columns) -> str:
    if column in DEMOGRAPHIC_WORDS:
        return f"{DEMOGRAPHIC_WORDS[column]}: {_demographic(column, value)}"
    feature = columns.features[column]
    what = _what(feature, columns.condition)
    if _unknown(value):
        return f"{what}: not known"
    quantity = _quantity(feature, value, columns.condition.variables[feature.variable])
    return f"{what}: {quantity}{_age(feature, events)}"


def _demographic(column: str, value: float) -> str:
    if _unknown(value):
        return "not known"
    return f"{int(value)} years" if column == "age" else ("male" if value == 1 else "female")


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
    """Two digits after the point below 10, one above; no trailing zeros."""
    places = 2 if abs(value) < 10 else 1
    text = f"{value:+.{places}f}" if signed else f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".")


def _age(feature: Feature, events: Sequence[UsedEvent]) -> str:
    """When the feature's events were; `events` are its variable's, of any window."""
    hours = feature.window / timedelta(hours=1)
    mine = [event for event in events if event.hours_before <= hours]
    if not mine or feature.summary in ("count", "missing", "hours_since_last"):
        return ""
    if feature.summary in _SINGLE_EVENT:
        return f" ({_SINGLE_EVENT[feature.summary](mine).hours_before:.1f} h before)"
    values = "1 value" if len(mine) == 1 else f"{len(mine)} values"
    return f" ({values}, latest {mine[-1].hours_before:.1f} h before)"


def _words(window: timedelta) -> str:
    text = format_duration(window)
    return f"{text[:-1]} {'min' if text.endswith('m') else 'h'}"
