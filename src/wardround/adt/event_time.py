"""When something happened, by what a message says; the time of its receipt where that cannot be."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final, NamedTuple

from wardround.hl7.reader import NULL, Hl7Message

AHEAD: Final = timedelta(hours=24)
BEHIND: Final = timedelta(days=30)

OUT_OF_RANGE: Final = "time_out_of_range"
UNREADABLE: Final = "time_unreadable"
NONE: Final = "time_missing"
AMBIGUOUS: Final = "time_ambiguous"  # the hour that comes twice as daylight saving ends
SKIPPED: Final = "time_skipped"  # the hour that does not come as it begins

# YYYYMMDDHHMM, and more: a day alone does not order what happened on it.
_TIME: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(?:(\d\d)(?:\.(\d{1,6})\d*)?)?([+-]\d{4})?")
_Field = tuple[str, int]
_OCCURRED: Final[_Field] = ("EVN", 6)
_RECORDED: Final[_Field] = ("EVN", 2)
_SENT: Final[_Field] = ("MSH", 7)


class Said(NamedTuple):
    """A time that a message says, in UTC, and what is to be counted about it."""

    at: datetime
    remarks: tuple[str, ...] = ()


def occurred(message: Hl7Message, zone: tzinfo, received: datetime) -> Said:
    """Returns when it happened: EVN-6, else EVN-2, else MSH-7.

    A time without an offset has that of MSH-7, else it is in `zone`. If it is more than 24 hours ahead of the receipt
    or 30 days behind, or there is none, it is the time of receipt.
    """
    return _first(message, (_OCCURRED, _RECORDED, _SENT), zone, received)


def recorded(message: Hl7Message, zone: tzinfo, received: datetime) -> datetime:
    """Returns when it was entered: EVN-2, else MSH-7, else the time of receipt, within the same limits.

    For a cancellation this is the time that counts: there, EVN-6 is the time of what is cancelled.
    """
    return _first(message, (_RECORDED, _SENT), zone, received).at


def _first(message: Hl7Message, fields: Iterable[_Field], zone: tzinfo, received: datetime) -> Said:
    remarks: list[str] = []
    offset = _offset(_text(message, _SENT))
    for field in fields:
        if not (text := _text(message, field)):
            continue
        where = f"{field[0]}-{field[1]}"
        said = _read(text, offset, zone, where)
        if said is None:
            remarks.append(f"{UNREADABLE} {where}")
            continue
        if not received - BEHIND <= said.at <= received + AHEAD:
            return Said(received, (*remarks, f"{OUT_OF_RANGE} {where}"))
        return Said(said.at, (*remarks, *said.remarks))
    return Said(received, (*remarks, f"{NONE} EVN"))


def _text(message: Hl7Message, field: _Field) -> str:
    text = message.value(*field)
    return "" if text == NULL else text


def _offset(text: str) -> timezone | None:
    """Returns the offset at the end of a time; None if it has none."""
    digits = re.search(r"([+-])(\d\d)(\d\d)$", text)
    if not digits:
        return None
    hours, minutes = int(digits[2]), int(digits[3])
    if hours >= 24 or minutes >= 60:
        return None
    return timezone((1 if digits[1] == "+" else -1) * timedelta(hours=hours, minutes=minutes))


def _read(text: str, sent_offset: timezone | None, zone: tzinfo, where: str) -> Said | None:
    found = _TIME.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second = (int(digits or 0) for digits in found.groups()[:6])
    fraction, offset = found.groups()[6:]
    own = _offset(text)
    if offset and own is None:
        return None
    try:
        micros = int((fraction or "").ljust(6, "0"))
        local = datetime(year, month, day, hour, minute, second, micros)  # noqa: DTZ001 - the zone follows
        if fixed := own or sent_offset:
            return Said(local.replace(tzinfo=fixed).astimezone(UTC))
        return _in_zone(local, zone, where)
    except (ValueError, OverflowError):
        return None


def _in_zone(local: datetime, zone: tzinfo, where: str) -> Said:
    """Returns a wall-clock time in UTC: the first of two, and one that was skipped as if the clock had gone on."""
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    at = first.astimezone(UTC)
    if first.utcoffset() == second.utcoffset():
        return Said(at)
    exists = at.astimezone(zone).replace(tzinfo=None) == local
    return Said(at, (f"{AMBIGUOUS if exists else SKIPPED} {where}",))
