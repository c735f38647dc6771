"""Converts durations from the command line, such as 24h, 90m or 2d, to timedeltas."""

from datetime import timedelta
from typing import Any

import click


class Duration(click.ParamType[timedelta]):
    """A click type for a whole number of minutes, hours or days."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        from wardround.spec.base import parse_duration

        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = Duration()
