"""Checks a feature table against the suite of its condition, with Great Expectations.

Great Expectations takes milliseconds per expectation but hardly any time per row: so one expectation, in long form,
checks all rules of a kind. These functions see patient values; they neither log nor return them. Nothing is stored or
sent.
"""

import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from types import ModuleType
from typing import Any, Final

import numpy as np
import pandas as pd

from wardround.errors import QualityError
from wardround.quality.long_form import Lines, choice_lines, range_lines, type_lines
from wardround.quality.suite import IDENTITY, Account, Noted, QualityResult, Rule, suite
from wardround.spec.conditions import Condition

# Rows that are checked together, so that memory does not grow with the table: some 40 MB in long form, copies included.
ROWS_AT_ONCE: Final = 2_000
# Asks for the positions of the lines that break an expectation, but not for their values.
_RESULT_FORMAT: Final = {
    "result_format": "COMPLETE",
    "exclude_unexpected_values": True,
    "return_unexpected_index_query": False,
}


def validate(parts: Iterable[pd.DataFrame], condition: Condition) -> QualityResult:
    """Checks a table, given in parts, against the suite of a condition; one part at a time is in memory.

    Each part has stay_id, as_of and `condition.columns` (units of the spec, NaN = unknown). A table without rows
    passes. If columns or types of any part are wrong, nothing else counts and every row is set aside.

    Raises QualityError if Great Expectations gives no verdict.
    """
    judge = _Judge(suite(condition))
    structure: list[Noted] = []
    values: list[Noted] = []
    identities: list[pd.DataFrame] = []
    rows = 0
    for part in _batches(parts):
        structure += judge.structure(part, rows)
        if all(noted.held for noted in structure):
            values += judge.values(part, rows)
        identities.append(part.loc[:, part.columns.isin(IDENTITY) & ~part.columns.duplicated()].copy())
        rows += len(part)
    identity = pd.concat(identities, ignore_index=True)
    account = Account(judge.rules, rows)
    account.note(structure)
    if account.success:
        account.note([*judge.identity(identity), *values])
    stay_ids = identity["stay_id"] if "stay_id" in identity else pd.RangeIndex(rows).to_series()
    broken = account.broken
    return QualityResult(
        condition=condition.id,
        rows=rows,
        set_aside=len(broken),
        expectations=account.checked,
        failing={str(stay_ids[row]): text for row, text in broken.items()},
    )


def _batches(parts: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Yields the same rows in frames of ROWS_AT_ONCE and a last one, which is empty if there are no rows."""
    held: list[pd.DataFrame] = []
    for part in parts:
        held.append(part)
        while sum(len(one) for one in held) > ROWS_AT_ONCE:
            table = pd.concat(held, ignore_index=True)
            yield table.iloc[:ROWS_AT_ONCE]
            held = [table.iloc[ROWS_AT_ONCE:]]
    yield pd.concat(held, ignore_index=True)


@dataclass(frozen=True)
class Verdict:
    """The verdict of one expectation on the lines of a table.

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


class _Judge:
    """Checks parts of a table, whose rows are numbered from 0, against the rules of its suite, kind by kind.

    `start` is the position of a part's first row in the table.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = rules
        self._gx = _great_expectations()
        features = _context(self._gx).data_sources.add_pandas("features").add_dataframe_asset("features")
        self._batches = features.add_batch_definition_whole_dataframe("features")

    def structure(self, part: pd.DataFrame, start: int) -> Iterator[Noted]:
        """Checks the columns, and the types of those that exist."""
        yield self._columns(part, start)
        yield from self._types(part.loc[:, ~part.columns.duplicated()], start)

    def _columns(self, part: pd.DataFrame, start: int) -> Noted:
        [rule] = self._of("columns")
        in_order = self._gx.expectations.ExpectTableColumnsToMatchOrderedList(column_list=list(rule.columns))
        [verdict] = self._verdicts(part.iloc[:0], [in_order])
        return _of_all_rows(rule, verdict.expectation, verdict.held, part, start)

    def _types(self, part: pd.DataFrame, start: int) -> Iterator[Noted]:
        """Checks the types of columns; looks at values only if a column holds objects."""
        gxe = self._gx.expectations
        asked = [rule for rule in self._of("type") if rule.column in part]
        objects = [rule for rule in asked if part[rule.column].dtype == object]
        typed = [rule for rule in asked if part[rule.column].dtype != object]
        equal = gxe.ExpectColumnPairValuesToBeEqual(column_A="found", column_B="wanted", ignore_row_if="neither")
        [verdict] = self._verdicts(type_lines(part, typed), [equal])
        for line, rule in enumerate(typed):
            yield _of_all_rows(rule, verdict.expectation, line not in verdict.broken, part, start)
        of_type = [gxe.ExpectColumnValuesToBeOfType(column=rule.column, type_=rule.type) for rule in objects]
        yield from self._each(part, objects, of_type, start)

    def identity(self, table: pd.DataFrame) -> Iterator[Noted]:
        """Checks stay_id and as_of of the whole table."""
        gxe = self._gx.expectations
        known = [gxe.ExpectColumnValuesToNotBeNull(column=rule.column) for rule in self._of("known")]
        unique = [gxe.ExpectColumnValuesToBeUnique(column=rule.column) for rule in self._of("unique")]
        yield from self._each(table, [*self._of("known"), *self._of("unique")], [*known, *unique], 0)

    def values(self, part: pd.DataFrame, start: int) -> Iterator[Noted]:
        """Checks the features of a part by the rules on features."""
        gxe = self._gx.expectations
        at_least = partial(gxe.ExpectColumnPairValuesAToBeGreaterThanB, or_equal=True, ignore_row_if="neither")
        ranges = self._of("between", "ordered")
        within = [at_least(column_A="value", column_B="low"), at_least(column_A="high", column_B="value")]
        yield from self._lines(range_lines(part, ranges), ranges, within, start)
        choices = self._of("one_of")
        for values in dict.fromkeys(rule.values for rule in choices):
            alike = [rule for rule in choices if rule.values == values]
            in_set = gxe.ExpectColumnValuesToBeInSet(column="value", value_set=list(values))
            yield from self._lines(choice_lines(part, alike), alike, [in_set], start)

    def _of(self, *kinds: str) -> list[Rule]:
        return [rule for rule in self.rules if rule.kind in kinds]

    def _each(
        self, table: pd.DataFrame, rules: Sequence[Rule], expectations: Sequence[Any], start: int
    ) -> Iterator[Noted]:
        """Checks each rule by the expectation at the same position, each on its own column."""
        if rules:
            columns = list(dict.fromkeys(rule.column for rule in rules))
            for rule, verdict in zip(rules, self._verdicts(table[columns], expectations), strict=True):
                broken = start + np.array(verdict.broken, dtype=int)
                yield Noted(rule, verdict.expectation, verdict.checked, broken, not len(broken))

    def _lines(self, lines: Lines, rules: Sequence[Rule], expectations: Sequence[Any], start: int) -> Iterator[Noted]:
        """Checks all rules by all expectations; a row breaks a rule if its line breaks one of them."""
        verdicts = self._verdicts(lines.table, expectations)
        broken = np.unique(np.concatenate([np.array(verdict.broken, dtype=int) for verdict in verdicts]))
        checked = np.bincount(lines.rules, minlength=len(rules))
        for place, rule in enumerate(rules):
            rows = start + lines.rows[broken[lines.rules[broken] == place]]
            yield Noted(rule, verdicts[0].expectation, int(checked[place]), rows, not len(rows))

    def _verdicts(self, table: pd.DataFrame, expectations: Sequence[Any]) -> list[Verdict]:
        """Returns the verdicts in the order of the expectations; Great Expectations gives them in another."""
        for place, expectation in enumerate(expectations):
            expectation.meta = {"place": place}
        batch = self._batches.get_batch({"dataframe": table})
        asked = self._gx.ExpectationSuite("features", list(expectations))
        results = batch.validate(asked, result_format=_RESULT_FORMAT).results
        by_place = {result.expectation_config.meta["place"]: verdict_of(result) for result in results}
        return [by_place[place] for place in range(len(expectations))]


def _of_all_rows(rule: Rule, expectation: str, held: bool, part: pd.DataFrame, start: int) -> Noted:
    broken = np.arange(start, start + (0 if held else len(part)))
    return Noted(rule, expectation, len(part), broken, held)


def verdict_of(result: Any) -> Verdict:
    """Returns the verdict in a result of format COMPLETE. Raises QualityError if it is unclear which lines pass."""
    name, held, details = result.expectation_config.type, bool(result.success), result.result
    of_lines = "element_count" in details
    broken = details.get("unexpected_index_list") or ()
    if not details or (of_lines and held == bool(broken)):
        raise QualityError(
            f"{name}: Great Expectations did not report which rows pass; install the versions in the lock file"
        )
    checked = details["element_count"] - details.get("missing_count", 0) if of_lines else 0
    return Verdict(name, held, checked, broken)


def _context(gx: ModuleType) -> Any:
    """Returns a context in memory: no files, no documentation site, no analytics, no progress bars."""
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
    """Imports Great Expectations, which takes seconds: call it in a thread while other work waits."""
    _great_expectations()


@cache
def _great_expectations() -> ModuleType:
    # On import it logs 214 times that it registers a function, and imports a module that Python deprecates.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import great_expectations
    return great_expectations
