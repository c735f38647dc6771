"""The rules that a feature table must meet, built from a condition, and the result of checking a table."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from wardround.spec.conditions import CLOCKS, LONGEST_HOURS, Condition, Feature

IDENTITY = ("stay_id", "as_of")
_OLDEST = 130  # years; no verified human age is above 122
# The cohort counts birthdays, the feature counts years of 365.25 days: on a birthday they differ by up to a day.
_BIRTHDAY_SLACK = 0.01  # years
_FINITE = sys.float_info.max
# A mean is computed, so a rounding error can put it outside the range of its own values.
_ROUNDING = 1e-9

Kind = Literal["columns", "type", "known", "unique", "between", "one_of", "ordered"]


@dataclass(frozen=True)
class Rule:
    """One rule; only the attributes that its kind needs are set.

    Attributes:
        kind: columns (exactly these, in this order), type, known (never null), unique, between (both ends included),
            one_of, or ordered (`column` is at most `other` where both are known).
        column: the column that it is about; "" for the whole table.
        text: the rule in words, for reports and reasons; contains no value of a patient.
    """

    kind: Kind
    column: str
    text: str
    columns: tuple[str, ...] = ()
    type: str = ""
    low: float = 0.0
    high: float = 0.0
    values: tuple[float, ...] = ()
    other: str = ""

    @property
    def structural(self) -> bool:
        """Whether breaking it makes every row unusable, rather than single rows."""
        return self.kind in ("columns", "type")


def suite(condition: Condition) -> tuple[Rule, ...]:
    """Returns the rules for stay_id, as_of and the condition's columns. Unknown (NaN) values break no rule."""
    return (*_table_rules(condition), *_demographic_rules(condition), *_feature_rules(condition))


def _table_rules(condition: Condition) -> Iterator[Rule]:
    columns = (*IDENTITY, *condition.columns)
    yield Rule("columns", "", "the columns are those of the spec, in its order", columns=columns)
    types = {"stay_id": "str", "as_of": "Timestamp"}
    for column in columns:
        wanted = types.get(column, "float64")
        yield Rule("type", column, f"{column} is of type {wanted}", type=wanted)
    for column in IDENTITY:
        yield Rule("known", column, f"{column} is known")
    yield Rule("unique", "stay_id", "stay_id is unique")


def _demographic_rules(condition: Condition) -> Iterator[Rule]:
    if "age" in condition.features.demographics:
        yield _between("age", condition.cohort.min_age, _OLDEST, "years", slack=_BIRTHDAY_SLACK)
    if "sex" in condition.features.demographics:
        yield Rule("one_of", "sex", "sex is 0 or 1", values=(0.0, 1.0))
    for clock in CLOCKS:
        if clock in condition.features.demographics:
            yield _between(clock, 0, LONGEST_HOURS, "h")


def _feature_rules(condition: Condition) -> Iterator[Rule]:
    names = {feature.name for feature in condition.feature_list}
    for feature in condition.feature_list:
        yield _range(feature, condition)
        largest = feature.model_copy(update={"summary": "max"}).name
        if feature.summary == "min" and largest in names:
            yield Rule("ordered", feature.name, f"{feature.name} is at most {largest}", other=largest)


def _range(feature: Feature, condition: Condition) -> Rule:
    variable = condition.variables[feature.variable]
    low, high = variable.plausible.min, variable.plausible.max
    match feature.summary:
        case "count":
            return Rule("between", feature.name, f"{feature.name} is at least 0", low=0, high=_FINITE)
        case "missing":
            return Rule("one_of", feature.name, f"{feature.name} is 0 or 1", values=(0.0, 1.0))
        case "slope":
            return Rule("between", feature.name, f"{feature.name} is finite", low=-_FINITE, high=_FINITE)
        case "hours_since_last":
            return _between(feature.name, 0, feature.window.total_seconds() / 3600, "h")
        case "std":
            return _between(feature.name, 0, high - low, variable.unit)
        case "change":
            return _between(feature.name, low - high, high - low, variable.unit)
        case "mean":
            return _between(feature.name, low, high, variable.unit, slack=_ROUNDING * max(abs(low), abs(high)))
        case _:
            return _between(feature.name, low, high, variable.unit)


def _between(column: str, low: float, high: float, unit: str, slack: float = 0.0) -> Rule:
    text = f"{column} is between {low:g} and {high:g} {unit}"
    return Rule("between", column, text, low=low - slack, high=high + slack)


class Checked(BaseModel):
    """One rule and its result, in counts only."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="Name of the Great Expectations expectation that judged the rule.")
    column: str = Field(description='The column, or "" for the whole table.')
    rule: str = Field(description="The rule in words.")
    success: bool
    checked: int = Field(description="Rows that had a value to check.")
    unexpected: int = Field(description="Rows that broke it.")


class QualityResult(BaseModel):
    """The result of checking a table. Its dump holds counts and no patient's value; `failing` stays in memory."""

    model_config = ConfigDict(frozen=True)

    condition: str
    rows: int
    set_aside: int = Field(description="Rows that broke at least one rule.")
    expectations: tuple[Checked, ...]
    failing: dict[str, str] = Field(
        default_factory=dict, exclude=True, repr=False, description="stay_id -> the first rule that its row broke."
    )

    @property
    def success(self) -> bool:
        return all(expectation.success for expectation in self.expectations)

    @property
    def set_aside_share(self) -> float:
        """Share of the rows that are set aside, 0 to 1; 1 for an empty table with the wrong columns."""
        if self.rows:
            return self.set_aside / self.rows
        return 0.0 if self.success else 1.0


class Noted(NamedTuple):
    """The result of one rule on a part of a table.

    Attributes:
        expectation: the expectation that judged it.
        checked: how many rows had a value to check.
        broken: positions, in the whole table, of the rows that broke the rule, each once.
        held: whether it held; a table without rows may still have the wrong columns.
    """

    rule: Rule
    expectation: str
    checked: int
    broken: np.ndarray
    held: bool


class Account:
    """Collects how a table meets its suite: noted rule by rule, in any order and for parts of the table."""

    def __init__(self, rules: Sequence[Rule], rows: int) -> None:
        self._rules = rules
        self._places = {rule: place for place, rule in enumerate(rules)}
        self._noted: dict[int, Checked] = {}
        self._first = np.full(rows, len(rules))  # the position of the first rule that each row broke

    def note(self, noted: Iterable[Noted]) -> None:
        """Adds results; a structural rule that did not hold makes all rows unusable."""
        for one in noted:
            place = self._places[one.rule]
            before = self._noted.get(place)
            self._noted[place] = Checked(
                type=one.expectation,
                column=one.rule.column,
                rule=one.rule.text,
                success=one.held and (before is None or before.success),
                checked=one.checked + (before.checked if before else 0),
                unexpected=len(one.broken) + (before.unexpected if before else 0),
            )
            rows = slice(None) if one.rule.structural and not one.held else one.broken
            self._first[rows] = np.minimum(self._first[rows], place)

    @property
    def success(self) -> bool:
        """Whether everything noted so far held."""
        return all(checked.success for checked in self._noted.values())

    @property
    def checked(self) -> tuple[Checked, ...]:
        """The noted rules, in the order of the suite."""
        return tuple(self._noted[place] for place in sorted(self._noted))

    @property
    def broken(self) -> dict[int, str]:
        """The position of each row that broke a rule -> the first such rule of the suite, in words."""
        rows = np.flatnonzero(self._first < len(self._rules))
        return {int(row): self._rules[self._first[row]].text for row in rows}
