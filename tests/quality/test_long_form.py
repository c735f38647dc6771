"""Rules and rows become lines, one for each known value, and each line knows its row and rule."""

import math

import pandas as pd

from wardround.quality.long_form import choice_lines, range_lines, type_lines
from wardround.quality.suite import Rule

LOW = Rule("between", "low", "low is between 1 and 3", low=1.0, high=3.0)
ORDERED = Rule("ordered", "low", "low is at most top", other="top")
TOP = Rule("between", "top", "top is between 0 and 9", low=0.0, high=9.0)


def test_a_value_has_a_line_for_each_rule_about_it_and_an_unknown_one_has_none() -> None:
    part = pd.DataFrame({"low": [2.0, math.nan, 4.0], "top": [5.0, 6.0, math.nan]})
    lines = range_lines(part, [LOW, ORDERED, TOP])
    assert lines.table.to_dict("list") == {
        "low": [1.0, -math.inf, 0.0, 0.0, 1.0],
        "value": [2.0, 2.0, 5.0, 6.0, 4.0],
        "high": [3.0, 5.0, 9.0, 9.0, 3.0],
    }
    assert lines.rows.tolist() == [0, 0, 0, 1, 2]
    assert lines.rules.tolist() == [0, 1, 2, 2, 0]


def test_an_infinite_value_has_a_line() -> None:
    lines = range_lines(pd.DataFrame({"low": [math.inf], "top": [-math.inf]}), [LOW, ORDERED, TOP])
    assert lines.table["value"].tolist() == [math.inf, math.inf, -math.inf]
    assert lines.table["high"].tolist() == [3.0, -math.inf, 9.0]


def test_choices_have_lines_of_their_values() -> None:
    rules = [Rule("one_of", column, "", values=(0.0, 1.0)) for column in ("sex", "known")]
    lines = choice_lines(pd.DataFrame({"sex": [1.0, math.nan], "known": [0.0, 2.0]}), rules)
    assert lines.table.to_dict("list") == {"value": [1.0, 0.0, 2.0]}
    assert (lines.rows.tolist(), lines.rules.tolist()) == ([0, 0, 1], [0, 1, 1])


def test_the_kind_of_unknown_makes_no_difference() -> None:
    values = {"low": pd.Series([pd.NA, math.nan, 2.5], dtype="object"), "top": pd.Series([1, None, 2], dtype="Float64")}
    lines = range_lines(pd.DataFrame(values), [LOW, TOP])
    assert lines.table["value"].tolist() == [1.0, 2.5, 2.0]
    assert (lines.table.dtypes == "float64").all()


def test_no_rows_and_no_rules_make_no_lines() -> None:
    nothing = pd.DataFrame({"low": [], "top": []}, dtype="float64")
    assert len(range_lines(nothing, [LOW, ORDERED, TOP]).table) == len(choice_lines(nothing, []).table) == 0


def test_a_type_is_that_of_a_columns_values() -> None:
    table = pd.DataFrame(
        {
            "stay_id": pd.Series(["a"], dtype="str"),
            "as_of": pd.Series([pd.Timestamp("2026-01-02T05:00Z")]),
            "age": [64.0],
            "sex": [1],
        }
    )
    wanted = {"stay_id": "str", "as_of": "Timestamp", "age": "float64", "sex": "float64"}
    lines = type_lines(table, [Rule("type", column, "", type=type_) for column, type_ in wanted.items()])
    assert lines["found"].tolist() == ["str", "Timestamp", "float64", "int64"]
    assert lines["wanted"].tolist() == list(wanted.values())
