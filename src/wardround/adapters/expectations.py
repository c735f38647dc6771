"""Great Expectations: a feature table and a condition in, counts per expectation and the rows to set aside out.

These functions see patient values; they neither log nor return them. Nothing is stored and nothing is sent.
"""

import logging
import warnings
from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Any

import pandas as pd

from wardround.core.suite import Checked, QualityResult, Rule, suite
from wardround.spec.conditions import Condition

# Asks for the positions of the rows that break a rule, and not for their values.
_RESULT_FORMAT = {
    "result_format": "COMPLETE",
    "exclude_unexpected_values": True,
    "return_unexpected_index_query": False,
}


def validate(frame: pd.DataFrame, condition: Condition) -> QualityResult:
    """Hold a table of stay_id, as_of and `condition.columns` (units of the spec, NaN = unknown) against its suite.

    No rows are fine. Where columns or types are wrong, nothing else is checked and every row is set aside.
    """
    table = frame.reset_index(drop=True)
    rules = suite(condition)
    shape = [rule for rule in rules if rule.structural and (not rule.column or rule.column in table)]
    outcomes = _hold(table, shape)
    if all(success for _, success, _, _ in outcomes):
        outcomes += _hold(table, [rule for rule in rules if not rule.structural])
    broken = _first_broken_rule(outcomes)
    stay_ids = table["stay_id"] if "stay_id" in table else table.index.to_series()
    return QualityResult(
        condition=condition.id,
        rows=len(table),
        set_aside=len(broken),
        expectations=tuple(
            Checked(
                type=_EXPECTATIONS[rule.kind],
                column=rule.column,
                rule=rule.text,
                success=success,
                checked=checked,
                unexpected=len(rows),
            )
            for rule, success, checked, rows in outcomes
        ),
        failing={str(stay_ids[row]): text for row, text in sorted(broken.items())},
    )


_Outcome = tuple[Rule, bool, int, Sequence[int]]  # rule, success, rows checked, positions of the rows that broke it


def _hold(table: pd.DataFrame, rules: Sequence[Rule]) -> list[_Outcome]:
    gx = _great_expectations()
    asset = _context(gx).data_sources.add_pandas("features").add_dataframe_asset("features")
    batch = asset.add_batch_definition_whole_dataframe("features").get_batch({"dataframe": table})
    expectations = [_expectation(gx.expectations, rule, place) for place, rule in enumerate(rules)]
    results = batch.validate(gx.ExpectationSuite("features", expectations), result_format=_RESULT_FORMAT).results
    return [_outcome(rules[result.expectation_config.meta["place"]], result, len(table)) for result in results]


def _context(gx: ModuleType) -> Any:
    """A context in memory: no files, no documentation site, no analytics, no progress bars."""
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    return gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
        ),
    )


def _outcome(rule: Rule, result: Any, rows: int) -> _Outcome:
    details = result.result
    checked = details.get("element_count", rows) - details.get("missing_count", 0)
    broken = details.get("unexpected_index_list") or ()
    if not result.success and not broken:
        broken = range(rows)  # the whole column or table is wrong
    return rule, bool(result.success), int(checked), broken


def _first_broken_rule(outcomes: Sequence[_Outcome]) -> dict[int, str]:
    """Position of a row -> the first rule that it broke."""
    first: dict[int, str] = {}
    for rule, _, _, rows in outcomes:
        for row in rows:
            first.setdefault(row, rule.text)
    return first


_EXPECTATIONS = {
    "columns": "expect_table_columns_to_match_ordered_list",
    "type": "expect_column_values_to_be_of_type",
    "known": "expect_column_values_to_not_be_null",
    "unique": "expect_column_values_to_be_unique",
    "between": "expect_column_values_to_be_between",
    "one_of": "expect_column_values_to_be_in_set",
    "ordered": "expect_column_pair_values_a_to_be_greater_than_b",
}


def _expectation(gxe: Any, rule: Rule, place: int) -> Any:
    """The rule as an expectation; `place` finds it again, for results come in an order of Great Expectations' own."""
    meta = {"place": place}
    match rule.kind:
        case "columns":
            return gxe.ExpectTableColumnsToMatchOrderedList(column_list=list(rule.columns), meta=meta)
        case "type":
            return gxe.ExpectColumnValuesToBeOfType(column=rule.column, type_=rule.type, meta=meta)
        case "known":
            return gxe.ExpectColumnValuesToNotBeNull(column=rule.column, meta=meta)
        case "unique":
            return gxe.ExpectColumnValuesToBeUnique(column=rule.column, meta=meta)
        case "between":
            return gxe.ExpectColumnValuesToBeBetween(
                column=rule.column, min_value=rule.low, max_value=rule.high, meta=meta
            )
        case "one_of":
            return gxe.ExpectColumnValuesToBeInSet(column=rule.column, value_set=list(rule.values), meta=meta)
        case "ordered":
            return gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A=rule.other,
                column_B=rule.column,
                or_equal=True,
                ignore_row_if="either_value_is_missing",
                meta=meta,
            )


def prepare() -> None:
    """Imports Great Expectations, which takes seconds: for a thread that does it while others wait."""
    _great_expectations()


@cache
def _great_expectations() -> ModuleType:
    # It says 214 times on import that it registers a function, and imports a module that Python deprecates.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import great_expectations
    return great_expectations
