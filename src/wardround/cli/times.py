"""Times on the command line: ISO 8601 with an offset in, a UTC datetime out."""

import re
from datetime import UTC, datetime
from typing import Any

import click

ALLOW_FUTURE_HELP = "Predict at a time that has not come; a wrong offset asks for one by mistake."


class Time(click.ParamType[datetime]):
    """A time such as 2026-01-02T05:00:00Z; without an offset it is refused, as nobody could tell what it means."""

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


class Day(Time):
    """A time, or a day that stands for its beginning in UTC."""

    name = "day"
    expected = "a day such as 2026-01-02, or a time with an offset such as 2026-01-02T05:00:00Z"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        is_day = isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value)
        return super().convert(f"{value}T00:00:00Z" if is_day else value, param, ctx)


TIME = Time()
DAY = Day()
