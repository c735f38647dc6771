"""The names of runs in, the overviews of one page of a list out; no more runs are read than that takes."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from wardround.core.run_overview import RunName, RunOverview
from wardround.settings import Settings
from wardround.workflows.run_list import overviews

PER_PAGE: Final = 25
AT_ONCE: Final = 100
"""Runs that are read together where names do not tell which of them belong on the page."""


class Sheet(NamedTuple):
    """One page: its rows, their places in the list from 1, how long that is if it is known, and whether it goes on."""

    rows: list[RunOverview]
    first: int
    last: int
    total: int | None
    more: bool


def sheet(names: Sequence[RunName], page: int, settings: Settings) -> Sheet:
    """Of a list of all these runs."""
    first = (page - 1) * PER_PAGE
    rows = overviews(names[first : first + PER_PAGE], settings)
    last = min(first + PER_PAGE, len(names))
    return Sheet(rows, first + 1, last, len(names), last < len(names))


def sifted_sheet(
    names: Sequence[RunName], page: int, settings: Settings, belongs: Callable[[RunOverview], bool]
) -> Sheet:
    """Of a list of those that belong there, which their files say: runs are read until the page is full.

    How many there are is not said: it would take reading all, and tell of runs that are not the reader's.
    """
    first = (page - 1) * PER_PAGE
    found: list[RunOverview] = []
    for start in range(0, len(names), AT_ONCE):
        found += filter(belongs, overviews(names[start : start + AT_ONCE], settings))
        if len(found) > first + PER_PAGE:
            break
    rows = found[first : first + PER_PAGE]
    return Sheet(rows, first + 1, first + len(rows), None, len(found) > first + PER_PAGE)
