"""Converts times from the command line, ISO 8601 with an offset, to datetimes in UTC, and back."""

import re
from datetime import UTC, datetime
from typing import Any

import click

ALLOW_FUTURE_HELP = "Accept a prediction time in the future, which is usually the result of a wrong UTC offset."


class Time(click.ParamType[datetime]):
    """A click type for a time such as 2026-01-02T05:00:00Z; one without an offset is ambiguous and refused."""

    name = "time"
    expected = "ISO 8601 with an offset such as 2026-01-02T05:00:00Z"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"got {value!r}, expected {self.expected}", param, ctx)
        if time.tzinfo is None:
            written = time.isoformat()  # a date alone cannot take an offset
            self.fail(f"{value!r} has no offset; write {written}Z for UTC, or {written}-05:00", param, ctx)
        return time.astimezone(UTC)


class _Day(Time):
    """A click type for a time, or for a day, which means its start in UTC."""

    name = "day"
    expected = "a day such as 2026-01-02, or a time with an offset such as 2026-01-02T05:00:00Z"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        is_day = isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value)
        return super().convert(f"{value}T00:00:00Z" if is_day else value, param, ctx)


TIME = Time()
DAY = _Day()


def in_seconds(time: datetime) -> str:
    """Returns a time in UTC as people read it, to the second."""
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")
