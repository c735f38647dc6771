"""What the stream does with an admission: for which units, when, with which model, and who is told."""

from datetime import timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from wardround.spec.base import SpecModel, format_duration, parse_duration

LIVE: Final = "live"
_NO_TIME: Final = ("0m", "0h", "0d")


def _delay(text: object) -> timedelta:
    return timedelta() if text in _NO_TIME else parse_duration(text)


Delay = Annotated[
    timedelta,
    BeforeValidator(_delay, json_schema_input_type=str),
    PlainSerializer(format_duration, return_type=str),
]
"""A duration that may also be 0h: at once."""


class Branch(SpecModel):
    """One way in which admissions are scored; several work side by side on the same messages."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40, description="Id, unlike any other's here.")
    units: tuple[str, ...] = Field(
        default=(), description="Units, as messages name them; default: all that the source watches."
    )
    classes: tuple[str, ...] = Field(
        default=(), description="Classes of visits, as messages name them; default: all that the source wants."
    )
    at: tuple[Delay, ...] = Field(
        default=(timedelta(), timedelta(hours=1), timedelta(hours=6)),
        min_length=1,
        description="When a stay is scored, counted from the receipt of the message that admitted it. The first score"
        " ends it: the later times are for stays of which too little was known before.",
    )
    model: str = Field(
        default=LIVE,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="live, or a stored version, which needs mode shadow.",
    )
    band: Literal["moderate", "high"] | None = Field(
        default=None, description="Lowest band that people are told of; default: high, unless there is a threshold."
    )
    threshold: float | None = Field(
        default=None, gt=0, le=1, description="Lowest probability that people are told of, instead of a band."
    )
    channel: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$",
        description="Channel of the stream's settings by which people are told; default: nobody is told.",
    )
    mode: Literal["live", "shadow"] = Field(
        default="live", description="shadow: score and count, but write nothing to the record and tell nobody."
    )

    def takes(self, unit: str, visit_class: str) -> bool:
        """Returns whether a visit of this class, newly admitted to this unit, is scored by this branch."""
        return (not self.units or unit in self.units) and (not self.classes or visit_class in self.classes)

    def after(self, delay: timedelta) -> timedelta | None:
        """Returns the next of the times after `delay`, both counted from the receipt; None if it was the last."""
        return next((one for one in self.at if one > delay), None)

    @model_validator(mode="after")
    def _times_ascend(self) -> Self:
        if list(self.at) != sorted(set(self.at)):
            raise ValueError("at names times that do not ascend; write each time once, the earliest first")
        return self

    @model_validator(mode="after")
    def _band_or_threshold(self) -> Self:
        if self.band is not None and self.threshold is not None:
            raise ValueError("got a band and a threshold; keep one of them")
        if self.channel is None and (self.band is not None or self.threshold is not None):
            raise ValueError("a band or a threshold is for people who are told; name a channel, or remove it")
        return self

    @model_validator(mode="after")
    def _a_shadow_tells_nobody(self) -> Self:
        if self.mode == "shadow" and self.channel is not None:
            raise ValueError("a branch in mode shadow tells nobody; remove the channel, or the mode")
        if self.model != LIVE and self.mode != "shadow":
            raise ValueError(f"model {self.model} is not live, so nobody may act on it; add `mode: shadow`")
        return self


class Stream(SpecModel):
    """What the stream door does for a condition."""

    branches: tuple[Branch, ...] = Field(default=(), description="Ways in which admissions are scored; default: none.")

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        ids = [one.id for one in self.branches]
        if twice := sorted({one for one in ids if ids.count(one) > 1}):
            raise ValueError(f"branches has {twice[0]} more than once; give each its own id")
        return self
