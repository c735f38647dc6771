"""FHIR dates: text in, the span of time that it may mean out, as microseconds since 1970 UTC (half open)."""

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
    """Microseconds since 1970 UTC of an aware datetime."""
    return (moment - _EPOCH) // _MICROSECOND


def instant(when: int) -> str:
    """The FHIR instant of microseconds since 1970 UTC, to the millisecond."""
    return (_EPOCH + timedelta(microseconds=when)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def span_in(value: object) -> tuple[int, int]:
    """The span of what should be a date in a resource; raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("not a text")
    return span(value)


# A resource's times are checked, indexed and repeated in its neighbours.
@lru_cache(20_000)
def span(text: str, zone_needed: bool = True) -> tuple[int, int]:
    """First microsecond and the one after the last of a date, dateTime or instant; raises ValueError.

    A year, month or day means all of it, in UTC. A resource's time must carry a zone (R4 dateTime); a search value
    need not, and means UTC without.
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
