"""Durations on the command line: 24h, 90m or 2d in, a timedelta out."""

from datetime import timedelta
from typing import Any

import click


class Duration(click.ParamType[timedelta]):
    """A whole number of minutes, hours or days."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        from wardround.spec.base import parse_duration

        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = Duration()
