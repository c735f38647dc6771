"""When something is due: cron expressions, and the time zone whose clock they follow."""

from datetime import datetime
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Final
from zoneinfo import available_timezones

from croniter import CroniterError, croniter
from pydantic import AfterValidator

# What Airflow takes besides.
_PRESETS: Final = ("@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
_ANY_TIME: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - no zone, as the clock on a wall


def _is_due(expression: str) -> str:
    """Airflow itself parses a DAG with an expression that means nothing, and never starts it."""
    if expression not in _PRESETS:
        try:
            if len(expression.split()) != 5:
                raise CroniterError
            croniter(expression, _ANY_TIME).get_next()
        except CroniterError:
            raise ValueError(
                f"got {expression!r}, expected a cron expression of five fields that comes true, such as 0 6 * * *;"
                " correct it"
            ) from None
    return expression


@cache  # it reads some 600 files
def _zones() -> frozenset[str]:
    # These two are whatever the machine is set to, and nothing.
    return frozenset(available_timezones() - {"localtime", "Factory"})


def _is_known(name: str) -> str:
    known = _zones()
    if name not in known:
        close = get_close_matches(name, sorted(known), n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise ValueError(f"got {name!r}{hint}, expected a time zone by IANA's name, such as Europe/Berlin; correct it")
    return name


Cron = Annotated[str, AfterValidator(_is_due)]
TimeZone = Annotated[str, AfterValidator(_is_known)]
