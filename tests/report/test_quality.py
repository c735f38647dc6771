"""Rules are described in a reader's words, not by the names of columns."""

from pathlib import Path

import pytest

from wardround.quality.suite import suite
from wardround.report.quality import rule_in_words
from wardround.results.rationale import column_words
from wardround.spec.loading import load_condition


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("ph__last_24h is between 6.5 and 8 [pH]", "“pH of blood, latest of the last 24 h” is between 6.5 and 8"),
        (
            "mean_pressure__mean_6h is between 10 and 250 mm[Hg]",
            "“Mean blood pressure, mean of the last 6 h” is between 10 and 250 mmHg",
        ),
        (
            "lactate__min_24h is at most lactate__max_24h",
            "“Lactate, lowest of the last 24 h” is at most “Lactate, highest of the last 24 h”",
        ),
        ("age is between 18 and 130 years", "age is between 18 and 130 years"),
        ("a rule of another release about old__column_24h", "a rule of another release about old__column_24h"),
    ],
)
def test_columns_and_units_are_in_words(schemas: Path, rule: str, told: str) -> None:
    assert rule_in_words(rule, column_words(load_condition("sepsis", schemas))) == told


@pytest.mark.parametrize("condition", ["sepsis", "mortality"])
def test_no_rule_of_the_project_keeps_the_name_of_a_column(schemas: Path, condition: str) -> None:
    spec = load_condition(condition, schemas)
    words = column_words(spec)
    assert [rule.text for rule in suite(spec) if "__" in rule_in_words(rule.text, words)] == []
