"""Validates schedules: cron expressions, and the time zone that they follow."""

from datetime import datetime
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Final
from zoneinfo import available_timezones

from croniter import CroniterError, croniter
from pydantic import AfterValidator

# What Airflow accepts as well.
_PRESETS: Final = ("@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
_ANY_TIME: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - local time, without a zone


def _is_due(expression: str) -> str:
    """Refuses an expression that never comes due: Airflow would accept the DAG and never start it."""
    if expression not in _PRESETS:
        try:
            if len(expression.split()) != 5:
                raise CroniterError
            croniter(expression, _ANY_TIME).get_next()
        except CroniterError:
            raise ValueError(
                f"got {expression!r}, expected a cron expression of five fields that matches some date, such as"
                " 0 6 * * *; correct it"
            ) from None
    return expression


@cache  # reads about 600 files
def _zones() -> frozenset[str]:
    # These two stand for the setting of the machine and for no zone at all.
    return frozenset(available_timezones() - {"localtime", "Factory"})


def _is_known(name: str) -> str:
    known = _zones()
    if name not in known:
        close = get_close_matches(name, sorted(known), n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise ValueError(f"got {name!r}{hint}, expected an IANA time zone name, such as Europe/Berlin; correct it")
    return name


Cron = Annotated[str, AfterValidator(_is_due)]
TimeZone = Annotated[str, AfterValidator(_is_known)]
