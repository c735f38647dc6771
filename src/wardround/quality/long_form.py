"""A feature table in long form: rules and rows in, a line for each rule and known value out, so that one expectation
can judge many rules. Unknown values have no line, for they break no rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from wardround.quality.suite import Rule


@dataclass(frozen=True)
class Lines:
    """What rules ask of values, one a line.

    Attributes:
        table: what is judged; float64 columns without NaN.
        rows: per line, the position of its row in the part of the feature table.
        rules: per line, the position of its rule among those given.
    """

    table: pd.DataFrame
    rows: np.ndarray
    rules: np.ndarray


def type_lines(table: pd.DataFrame, rules: Sequence[Rule]) -> pd.DataFrame:
    """One line per rule of the kind type: the type `found`, that of a column's values, and the one `wanted`."""
    dtypes = dict(zip(table.columns, table.dtypes, strict=True))
    return pd.DataFrame(
        {"found": [dtypes[rule.column].type.__name__ for rule in rules], "wanted": [rule.type for rule in rules]},
        dtype="str",
    )


def range_lines(part: pd.DataFrame, rules: Sequence[Rule]) -> Lines:
    """`low`, `value` and `high` for rules of the kinds between and ordered, whose high is the row's other value."""
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
    """`value` for rules of the kind one_of."""
    values = _values(part, [rule.column for rule in rules])
    known = ~np.isnan(values)
    rows, places = np.nonzero(known)
    return Lines(pd.DataFrame({"value": values[known]}), rows, places)


def _values(part: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """A row per row of the part; the column may hold objects, of which the suite has judged the type."""
    values = np.empty((len(part), len(columns)))
    for place, column in enumerate(columns):
        values[:, place] = part[column].to_numpy(dtype="float64", na_value=np.nan)
    return values
