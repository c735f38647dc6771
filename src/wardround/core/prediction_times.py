"""Refuses a prediction time that has not been reached, compared with the time that an entry point read.

A wrong offset, or local time taken for UTC, puts as_of hours ahead: stays that have not begun are missed, data of that
hour are not known yet, and the record gets a result that nobody could have had.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from wardround.errors import FutureAsOf

CLOCK_SKEW: Final = timedelta(minutes=5)
"""A time may be this far ahead, because the clock of a scheduler or a caller can differ a little from ours."""


def require_reached(as_of: datetime, now: datetime, allowed: bool = False) -> None:
    """Raises FutureAsOf if `as_of` lies after `now`, unless a future time was explicitly asked for.

    Args:
        as_of: the prediction time.
        now: the time by the entry point's clock.
        allowed: whether a time in the future was explicitly asked for.
    """
    ahead = as_of - now
    if ahead > CLOCK_SKEW and not allowed:
        raise FutureAsOf(
            f"as_of: {_iso(as_of)} is {_words(ahead)} after now ({_iso(now)}),"
            " expected a time that is not in the future; check its offset,"
            " or allow the future explicitly (--allow-future, or Allow the future in the form)"
        )


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _words(span: timedelta) -> str:
    hours, rest = divmod(round(span.total_seconds() / 60), 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"
