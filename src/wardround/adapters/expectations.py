"""Great Expectations: a feature table and a condition in, counts per rule and the rows to set aside out.

It takes milliseconds per expectation, hardly any per row: so the rules of a kind are judged by one expectation, in long
form. These functions see patient values; they neither log nor return them. Nothing is stored and nothing is sent.
"""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from types import ModuleType
from typing import Any, Final

import numpy as np
import pandas as pd

from wardround.errors import QualityError
from wardround.quality.long_form import Lines, choice_lines, range_lines, type_lines
from wardround.quality.suite import Account, QualityResult, Rule, suite
from wardround.spec.conditions import Condition

# Rows that are in long form together, so that memory does not grow with the table: some 40 MB, copies included.
ROWS_AT_ONCE: Final = 2_000
# Asks for the positions of the lines that break an expectation, and not for their values.
_RESULT_FORMAT: Final = {
    "result_format": "COMPLETE",
    "exclude_unexpected_values": True,
    "return_unexpected_index_query": False,
}


def validate(frame: pd.DataFrame, condition: Condition) -> QualityResult:
    """Hold a table of stay_id, as_of and `condition.columns` (units of the spec, NaN = unknown) against its suite.

    No rows are fine. Where columns or types are wrong, nothing else is checked and every row is set aside.
    Raises QualityError if Great Expectations gives no verdict.
    """
    table = frame.reset_index(drop=True)
    gate = _Gate(table, suite(condition))
    gate.hold_columns()
    gate.hold_types()
    if gate.account.success:
        gate.hold_identity()
        for start in range(0, max(len(table), 1), ROWS_AT_ONCE):
            gate.hold_values(start)
    broken = gate.account.broken
    stay_ids = table["stay_id"] if "stay_id" in table else table.index.to_series()
    return QualityResult(
        condition=condition.id,
        rows=len(table),
        set_aside=len(broken),
        expectations=gate.account.checked,
        failing={str(stay_ids[row]): text for row, text in broken.items()},
    )


@dataclass(frozen=True)
class Verdict:
    """Of one expectation on the lines of a table.

    Attributes:
        expectation: its name in Great Expectations.
        held: whether all lines, or the table as a whole, are as expected.
        checked: how many lines had a value.
        broken: the positions of those that are not as expected.
    """

    expectation: str
    held: bool
    checked: int
    broken: Sequence[int]


class _Gate:
    """Holds a table against the rules of its suite, kind by kind, and notes in `account` how that went."""

    def __init__(self, table: pd.DataFrame, rules: Sequence[Rule]) -> None:
        self.account = Account(rules, len(table))
        self._table = table
        self._rules = rules
        self._gx = _great_expectations()
        features = _context(self._gx).data_sources.add_pandas("features").add_dataframe_asset("features")
        self._batches = features.add_batch_definition_whole_dataframe("features")

    def hold_columns(self) -> None:
        [rule] = self._of("columns")
        in_order = self._gx.expectations.ExpectTableColumnsToMatchOrderedList(column_list=list(rule.columns))
        [verdict] = self._verdicts(self._table.iloc[:0], [in_order])
        self._note_all_rows(rule, verdict.expectation, verdict.held)

    def hold_types(self) -> None:
        """Those of the columns that are there. Values are looked at only where a column holds objects."""
        gxe = self._gx.expectations
        table = self._table.loc[:, ~self._table.columns.duplicated()]
        asked = [rule for rule in self._of("type") if rule.column in table]
        objects = [rule for rule in asked if table[rule.column].dtype == object]
        typed = [rule for rule in asked if table[rule.column].dtype != object]
        equal = gxe.ExpectColumnPairValuesToBeEqual(column_A="found", column_B="wanted", ignore_row_if="neither")
        [verdict] = self._verdicts(type_lines(table, typed), [equal])
        for line, rule in enumerate(typed):
            self._note_all_rows(rule, verdict.expectation, line not in verdict.broken)
        of_type = [gxe.ExpectColumnValuesToBeOfType(column=rule.column, type_=rule.type) for rule in objects]
        self._hold_each(table, objects, of_type)

    def hold_identity(self) -> None:
        gxe = self._gx.expectations
        known = [gxe.ExpectColumnValuesToNotBeNull(column=rule.column) for rule in self._of("known")]
        unique = [gxe.ExpectColumnValuesToBeUnique(column=rule.column) for rule in self._of("unique")]
        self._hold_each(self._table, [*self._of("known"), *self._of("unique")], [*known, *unique])

    def hold_values(self, start: int) -> None:
        """The rules on features, of the rows from position `start` on that are in long form together."""
        gxe = self._gx.expectations
        part = self._table.iloc[start : start + ROWS_AT_ONCE]
        at_least = partial(gxe.ExpectColumnPairValuesAToBeGreaterThanB, or_equal=True, ignore_row_if="neither")
        ranges = self._of("between", "ordered")
        within = [at_least(column_A="value", column_B="low"), at_least(column_A="high", column_B="value")]
        self._hold_lines(range_lines(part, ranges), ranges, within, start)
        choices = self._of("one_of")
        for values in dict.fromkeys(rule.values for rule in choices):
            alike = [rule for rule in choices if rule.values == values]
            in_set = gxe.ExpectColumnValuesToBeInSet(column="value", value_set=list(values))
            self._hold_lines(choice_lines(part, alike), alike, [in_set], start)

    def _of(self, *kinds: str) -> list[Rule]:
        return [rule for rule in self._rules if rule.kind in kinds]

    def _hold_each(self, table: pd.DataFrame, rules: Sequence[Rule], expectations: Sequence[Any]) -> None:
        """Each rule by the expectation in its place, on a column of its own."""
        if rules:
            columns = list(dict.fromkeys(rule.column for rule in rules))
            for rule, verdict in zip(rules, self._verdicts(table[columns], expectations), strict=True):
                self.account.note(rule, verdict.expectation, verdict.checked, verdict.broken)

    def _hold_lines(self, lines: Lines, rules: Sequence[Rule], expectations: Sequence[Any], start: int) -> None:
        """All rules by all expectations; a row breaks a rule if its line breaks one of them."""
        verdicts = self._verdicts(lines.table, expectations)
        broken = np.unique(np.concatenate([np.array(verdict.broken, dtype=int) for verdict in verdicts]))
        checked = np.bincount(lines.rules, minlength=len(rules))
        for place, rule in enumerate(rules):
            rows = start + lines.rows[broken[lines.rules[broken] == place]]
            self.account.note(rule, verdicts[0].expectation, int(checked[place]), rows)

    def _note_all_rows(self, rule: Rule, expectation: str, held: bool) -> None:
        rows = len(self._table)
        self.account.note(rule, expectation, rows, () if held else range(rows), held)

    def _verdicts(self, table: pd.DataFrame, expectations: Sequence[Any]) -> list[Verdict]:
        """In the order of the expectations; results come in an order of Great Expectations' own."""
        for place, expectation in enumerate(expectations):
            expectation.meta = {"place": place}
        batch = self._batches.get_batch({"dataframe": table})
        asked = self._gx.ExpectationSuite("features", list(expectations))
        results = batch.validate(asked, result_format=_RESULT_FORMAT).results
        by_place = {result.expectation_config.meta["place"]: verdict_of(result) for result in results}
        return [by_place[place] for place in range(len(expectations))]


def verdict_of(result: Any) -> Verdict:
    """What a result in the format COMPLETE says. Raises QualityError if it leaves open which lines are as expected."""
    name, held, details = result.expectation_config.type, bool(result.success), result.result
    of_lines = "element_count" in details
    broken = details.get("unexpected_index_list") or ()
    if not details or (of_lines and held == bool(broken)):
        raise QualityError(
            f"{name}: Great Expectations did not say which lines are as expected; install the versions of the lock"
        )
    checked = details["element_count"] - details.get("missing_count", 0) if of_lines else 0
    return Verdict(name, held, checked, broken)


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
