"""Converts FHIR dates to the span of time that they may mean, half open, in microseconds since 1970 UTC."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

EARLIEST = -(2**62)
LATEST = 2**62

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(?P<fraction>\.\d+)?)?(?P<zone>Z|[+-]\d\d:\d\d)?", re.ASCII)


def microseconds(moment: datetime) -> int:
    """Returns an aware datetime in microseconds since 1970 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def instant(when: int) -> str:
    """Returns the FHIR instant of microseconds since 1970 UTC, to the millisecond."""
    return (_EPOCH + timedelta(microseconds=when)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def span_in(value: object) -> tuple[int, int]:
    """Returns the span of a value that should be a date; raises ValueError if it is not."""
    if not isinstance(value, str):
        raise ValueError("not a text")
    return span(value)


# Cached because each time is checked, indexed and likely repeated in other resources.
@lru_cache(20_000)
def span(text: str, zone_needed: bool = True) -> tuple[int, int]:
    """Returns the first microsecond of a date, dateTime or instant, and the one after its last; raises ValueError.

    A year, month or day means the whole of it, in UTC. A time in a resource must have a zone (R4 dateTime); one in a
    search need not, and is then UTC.
    """
    if len(text) > 10:
        return _span_of_time(text, zone_needed)
    parts = _DATE.fullmatch(text)
    if parts is None:
        raise ValueError("not a FHIR date")
    year, month, day = (int(part) if part else None for part in parts.groups())
    assert year is not None
    start = datetime(year, month or 1, day or 1, tzinfo=UTC)
    return microseconds(start), _end_of_date(start, month, day)


def _span_of_time(text: str, zone_needed: bool) -> tuple[int, int]:
    parts = _TIME.fullmatch(text)
    if parts is None or (zone_needed and not parts["zone"]):
        raise ValueError("not a FHIR dateTime with a time zone")
    moment = datetime.fromisoformat(text)
    start = microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    if parts[1] is None:
        return start, start + 60_000_000
    digits = min(len(parts["fraction"] or ".") - 1, 6)
    return start, start + 10 ** (6 - digits)


def _end_of_date(start: datetime, month: int | None, day: int | None) -> int:
    if day is not None:
        return microseconds(start) + 86_400_000_000
    year, following = (start.year, month + 1) if month is not None and month < 12 else (start.year + 1, 1)
    return microseconds(datetime(year, following, 1, tzinfo=UTC)) if year <= 9999 else LATEST
