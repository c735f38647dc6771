"""A prediction time, and the time now as an entry point read it, in; an error for one that has not come out.

A wrong offset, or local time taken for UTC, puts as_of hours ahead: stays that have not begun are missed, what is known
then is not known yet, and the record gets a result that nobody could have had.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from wardround.errors import FutureAsOf

CLOCK_SKEW: Final = timedelta(minutes=5)
"""So far ahead a time may lie: the clock of a scheduler, or of a caller, and ours differ a little."""


def require_reached(as_of: datetime, now: datetime, allowed: bool = False) -> None:
    """Raises FutureAsOf if `as_of` lies after `now`, unless that is what was asked for by name.

    Args:
        as_of: the prediction time.
        now: the time by the entry point's clock.
        allowed: whether a time in the future was asked for by name.
    """
    ahead = as_of - now
    if ahead > CLOCK_SKEW and not allowed:
        raise FutureAsOf(
            f"as_of: {_iso(as_of)} lies {_words(ahead)} after now ({_iso(now)}), expected a time that has come;"
            " look at its offset, or allow the future by name (--allow-future, or Allow the future in the form)"
        )


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _words(span: timedelta) -> str:
    hours, rest = divmod(round(span.total_seconds() / 60), 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"
