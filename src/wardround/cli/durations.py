"""Durations on the command line: 24h, 90m or 2d in, a timedelta out."""

from datetime import timedelta
from typing import Any

import click

from wardround.spec.base import parse_duration


class Duration(click.ParamType):
    """A whole number of minutes, hours or days."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = Duration()
