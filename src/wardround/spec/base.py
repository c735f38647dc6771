"""The base of all models of the spec: frozen, strict, no unknown keys."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, PlainSerializer


class SpecModel(BaseModel):
    """A frozen model that refuses unknown keys, so that a misspelled key is an error and not a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __copy__(self) -> Self:
        """Returns a copy of the fields only: `model_copy` changes some of them, so cached values would be stale."""
        copied = super().__copy__()
        for derived in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[derived]
        return copied


_DURATION = re.compile(r"(\d+)(m|h|d)")
_MINUTES = {"m": 1, "h": 60, "d": 1440}


def parse_duration(text: object) -> timedelta:
    """Returns `24h`, `90m` or `2d` as a timedelta; raises ValueError for anything else, including zero."""
    if isinstance(text, timedelta):
        return text
    match = _DURATION.fullmatch(str(text))
    if not match or int(match[1]) == 0:
        raise ValueError(f"got {text!r}, expected a whole number of minutes, hours or days such as 90m, 24h or 2d")
    return timedelta(minutes=int(match[1]) * _MINUTES[match[2]])


def format_duration(duration: timedelta) -> str:
    """Returns the shortest form that `parse_duration` can read: 24h stays 24h, and 90 minutes become 90m."""
    minutes = int(duration.total_seconds() // 60)
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration, json_schema_input_type=str),
    PlainSerializer(format_duration, return_type=str),
]


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


UtcTime = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time that is given with its offset, and kept in UTC."""
