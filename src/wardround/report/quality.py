"""Describes which rules of the suite held, in a reader's words instead of column names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wardround.quality.suite import QualityResult
from wardround.results.rationale import column_words, unit_in_words
from wardround.spec.conditions import Condition

_COLUMN: Final = re.compile(r"\b[a-z][a-z0-9_]*__[a-z0-9_]+\b")
_BETWEEN: Final = re.compile(r"(?P<rule>.* is between \S+ and \S+) (?P<unit>\S+)")


@dataclass(frozen=True)
class RuleLine:
    """A rule: whether it held, how many stays were checked, and how many broke it."""

    rule: str
    held: bool
    checked: int
    broke: int


@dataclass(frozen=True)
class QualityFacts:
    """The rules, the number of stays checked, and the share of broken stays at which a run is stopped."""

    rules: tuple[RuleLine, ...]
    stays: int
    set_aside: int
    share: float
    limit: float

    @property
    def broken(self) -> tuple[RuleLine, ...]:
        return tuple(line for line in self.rules if not line.held)


def quality_facts(result: QualityResult, condition: Condition) -> QualityFacts:
    """Returns the section for a run whose features were checked against the suite."""
    words = column_words(condition)
    return QualityFacts(
        rules=tuple(
            RuleLine(rule_in_words(one.rule, words), one.success, one.checked, one.unexpected)
            for one in result.expectations
        ),
        stays=result.rows,
        set_aside=result.set_aside,
        share=result.set_aside_share,
        limit=condition.quality.max_set_aside,
    )


def rule_in_words(rule: str, words: Mapping[str, str]) -> str:
    """Returns a rule with its columns and units in words: `Lactate, latest of the last 24 h: is between 0 and 50`."""
    found = _BETWEEN.fullmatch(rule)
    readable = f"{found['rule']} {unit_in_words(found['unit'])}".rstrip() if found else rule
    return _COLUMN.sub(lambda column: f"“{words[column[0]]}”" if column[0] in words else column[0], readable)
