"""Splits a list of runs into pages, and reads no more runs than a page needs."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from wardround.core.run_overview import RunName, RunOverview
from wardround.settings import Settings
from wardround.workflows.run_list import overviews

_PER_PAGE: Final = 25
AT_ONCE: Final = 100
"""How many runs are read at once if their names are not enough to select those for the page."""


class Sheet(NamedTuple):
    """One page: its rows, their positions in the list (from 1), its length if known, and whether more rows follow."""

    rows: list[RunOverview]
    first: int
    last: int
    total: int | None
    more: bool


def sheet(names: Sequence[RunName], page: int, settings: Settings) -> Sheet:
    """Returns one page of a list of all these runs."""
    first = (page - 1) * _PER_PAGE
    rows = overviews(names[first : first + _PER_PAGE], settings)
    last = min(first + _PER_PAGE, len(names))
    return Sheet(rows, first + 1, last, len(names), last < len(names))


def filtered_sheet(
    names: Sequence[RunName], page: int, settings: Settings, belongs: Callable[[RunOverview], bool]
) -> Sheet:
    """Returns one page of a list of the runs for which `belongs` is true: runs are read until the page is full.

    The total is left out: it would mean reading all runs, and would reveal runs that the user may not see.
    """
    first = (page - 1) * _PER_PAGE
    found: list[RunOverview] = []
    for start in range(0, len(names), AT_ONCE):
        found += filter(belongs, overviews(names[start : start + AT_ONCE], settings))
        if len(found) > first + _PER_PAGE:
            break
    rows = found[first : first + _PER_PAGE]
    return Sheet(rows, first + 1, first + len(rows), None, len(found) > first + _PER_PAGE)
