"""Turns a feature table into long form, with a line for each rule and known value, so that one expectation can judge
many rules. Unknown values get no line, because they break no rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from wardround.quality.suite import Rule


@dataclass(frozen=True)
class Lines:
    """The values that rules judge, one per line.

    Attributes:
        table: what is judged; float64 columns without NaN.
        rows: for each line, the position of its row in the part of the feature table.
        rules: for each line, the position of its rule among the given rules.
    """

    table: pd.DataFrame
    rows: np.ndarray
    rules: np.ndarray


def type_lines(table: pd.DataFrame, rules: Sequence[Rule]) -> pd.DataFrame:
    """Returns one line per rule of the kind type: the type `found` in the column, and the one `wanted`."""
    dtypes = dict(zip(table.columns, table.dtypes, strict=True))
    return pd.DataFrame(
        {"found": [dtypes[rule.column].type.__name__ for rule in rules], "wanted": [rule.type for rule in rules]},
        dtype="str",
    )


def range_lines(part: pd.DataFrame, rules: Sequence[Rule]) -> Lines:
    """Returns `low`, `value` and `high` for rules of the kinds between and ordered (whose high is the other column)."""
    values = _values(part, [rule.column for rule in rules])
    lows = np.array([-np.inf if rule.other else rule.low for rule in rules])
    highs = np.tile(np.array([rule.high for rule in rules]), (len(part), 1))
    ordered = [place for place, rule in enumerate(rules) if rule.other]
    highs[:, ordered] = _values(part, [rules[place].other for place in ordered])
    known = ~np.isnan(values) & ~np.isnan(highs)
    rows, places = np.nonzero(known)
    table = pd.DataFrame({"low": lows[places], "value": values[known], "high": highs[known]})
    return Lines(table, rows, places)


def choice_lines(part: pd.DataFrame, rules: Sequence[Rule]) -> Lines:
    """Returns `value` for rules of the kind one_of."""
    values = _values(part, [rule.column for rule in rules])
    known = ~np.isnan(values)
    rows, places = np.nonzero(known)
    return Lines(pd.DataFrame({"value": values[known]}), rows, places)


def _values(part: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Returns the columns' values as rows; a column may hold objects, whose type the suite has judged already."""
    values = np.empty((len(part), len(columns)))
    for place, column in enumerate(columns):
        values[:, place] = part[column].to_numpy(dtype="float64", na_value=np.nan)
    return values
