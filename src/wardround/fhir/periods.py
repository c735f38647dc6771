"""Tells whether FHIR Periods hold at a time: certainly, perhaps or not."""

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from wardround.fhir.references import Resource
from wardround.fhir.times import Span, micros_of, span_of

EARLIEST: Final = -(2**62)
LATEST: Final = 2**62
_ANY_TIME: Final = (EARLIEST, LATEST)
_OPEN: Final = (LATEST, LATEST)


class Bounds(NamedTuple):
    """When a period begins and ends, each at the earliest and at the latest; an open one ends at LATEST."""

    begin: Span
    end: Span

    @property
    def is_stated(self) -> bool:
        """Whether there is a start, and both start and end can be read."""
        return _ANY_TIME not in self

    @property
    def has_begin(self) -> bool:
        """Whether there is a start that can be read."""
        return self.begin != _ANY_TIME

    @property
    def is_timeless(self) -> bool:
        """Whether start and end are each missing or unreadable."""
        return self.begin == _ANY_TIME and self.end[1] == LATEST

    @property
    def is_exact(self) -> bool:
        return all(earliest == latest for earliest, latest in self)

    @property
    def is_reversed(self) -> bool:
        return self.is_stated and self.end[1] < self.begin[0]

    def may_overlap(self, start: int, stop: int) -> bool:
        """Returns whether it can share a moment with [start, stop]."""
        return self.begin[0] <= stop and self.end[1] >= start

    def holds_at(self, moment: int) -> bool:
        """Returns whether it has begun and is not over, whatever its dates may mean."""
        return self.begin[1] <= moment < self.end[0]

    def is_over_at(self, moment: int) -> bool:
        """Returns whether it ended by then, whatever its dates may mean."""
        return self.end[1] <= moment

    def after(self, span: Span) -> "Bounds":
        """Returns what is left of it after a time."""
        return Bounds(_each(max, self.begin, span), self.end)


def bounds_of(period: Any, within: Bounds | None = None) -> Bounds:
    """Returns the bounds of a Period; within another, its start defaults to that one's, and it ends by that one's end.

    Raises AttributeError for anything but a Period.
    """
    period = {} if period is None else period
    start, end = period.get("start"), period.get("end")
    begins = within.begin if within and start is None else _span(start)
    ends = _OPEN if end is None else _span(end)
    return Bounds(begins, _each(min, ends, within.end) if within else ends)


def began(part: Resource) -> int:
    """Returns when the period of an Encounter began, in microseconds since 1970; UNKNOWN if it does not say."""
    period = part.get("period")
    return micros_of(period.get("start") if isinstance(period, dict) else None)


def latest_end(periods: Iterable[Resource]) -> Span:
    """Returns when the last of these periods ended; an open one has not."""
    ends = [span for period in periods if (span := span_of(period.get("end"))) is not None]
    return max(ends, default=(EARLIEST, EARLIEST))


def _span(text: object) -> Span:
    return span_of(text) or _ANY_TIME


def _each(choose: Callable[[int, int], int], one: Span, other: Span) -> Span:
    return choose(one[0], other[0]), choose(one[1], other[1])
