"""Reads FHIR times as exact times or as what they may mean, and writes times for search parameters."""

import re
from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from wardround.core.microseconds import UNKNOWN, micros

_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1)
_SHORTEST: Final = len("2026-01-02T05:00Z")
_DATE: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)
# A clock that shows 05:00 may be in Kiribati, 14 hours ahead of UTC, or at sea, 12 hours behind it.
_EAST: Final = timedelta(hours=14) // _MICROSECOND
_WEST: Final = timedelta(hours=12) // _MICROSECOND
_DAY: Final = timedelta(days=1) // _MICROSECOND
# Two readings of one time without a zone differ by no more than this; a server may have read it either way.
ANY_ZONE: Final = timedelta(hours=26)

Span = tuple[int, int]
"""The earliest and the latest microsecond since 1970 that a time as text may mean."""


# Values charted by the minute or the hour have few different times.
@lru_cache(maxsize=4096)
def micros_of(text: str | None) -> int:
    """Returns the microseconds since 1970 of a dateTime or instant, or UNKNOWN.

    A partial date is a span of time, and a time of day without an offset could be in any zone: both are UNKNOWN.
    """
    if not text or len(text) < _SHORTEST or text[10] != "T":
        return UNKNOWN
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return UNKNOWN
    return micros(moment) if moment.tzinfo else UNKNOWN


def span_of(text: object) -> Span | None:
    """Returns the span that a dateTime may mean in any zone; an exact time is one moment, an invalid one None."""
    if not isinstance(text, str):
        return None
    if (exact := micros_of(text)) != UNKNOWN:
        return exact, exact
    if (days := days_of(text)) is not None:
        first, last = (micros(datetime.combine(day, time.min, UTC)) for day in days)
        return first - _EAST, last + _DAY - 1 + _WEST
    if len(text) < _SHORTEST - 1 or text[10] != "T":
        return None
    try:
        local = micros(datetime.fromisoformat(text).replace(tzinfo=UTC))
    except ValueError:
        return None
    return local - _EAST, local + _WEST


def days_of(text: object) -> tuple[date, date] | None:
    """Returns the first and the last day that a date may mean; None if it is not a date.

    A date may be only a year or a month.
    """
    parts = _DATE.fullmatch(text) if isinstance(text, str) else None
    if parts is None:
        return None
    year, month, day = (int(part) if part else None for part in parts.groups())
    try:
        first = date(year or 0, month or 1, day or 1)
        last = date(first.year, month or 12, day or monthrange(first.year, month or 12)[1])
    except ValueError:
        return None
    return first, last


def no_earlier_than(time: datetime) -> str:
    """Returns the search value for `time` and later, rounded down to a whole second, which every server can read."""
    return f"ge{_whole_seconds(time)}"


def no_later_than(time: datetime) -> str:
    """Returns the search value for `time` and earlier, ending at a whole second."""
    return f"le{_whole_seconds(time + _SECOND - _MICROSECOND)}"


def _whole_seconds(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
