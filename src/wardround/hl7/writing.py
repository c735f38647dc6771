"""Writes HL7 v2 messages of our own, with the usual separators."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from wardround.hl7.separators import USUAL

_MARKS: Final = {
    USUAL.escape: "E", USUAL.field: "F", USUAL.component: "S", USUAL.repetition: "R", USUAL.subcomponent: "T",
}  # fmt: skip
_ESCAPES: Final = str.maketrans(
    {character: f"{USUAL.escape}{letter}{USUAL.escape}" for character, letter in _MARKS.items()}
    | dict.fromkeys("\r\n", " ")
)


def field(*components: str | Sequence[str]) -> str:
    """Returns a field of components, each escaped; one that is a sequence has subcomponents."""
    parts = (
        one.translate(_ESCAPES)
        if isinstance(one, str)
        else USUAL.subcomponent.join(part.translate(_ESCAPES) for part in one)
        for one in components
    )
    return USUAL.component.join(parts).rstrip(USUAL.component)


def moment(time: datetime) -> str:
    """Returns a time as messages have it, to the millisecond, in UTC."""
    utc = time.astimezone(UTC)
    return f"{utc:%Y%m%d%H%M%S}.{utc.microsecond // 1000:03d}+0000"


def segment(name: str, fields: Mapping[int, str]) -> str:
    """Returns a segment from its fields by number, which are written already. MSH-1 and MSH-2 are added."""
    first = 3 if name == "MSH" else 1
    head = ["MSH", "".join(USUAL[1:5])] if name == "MSH" else [name]
    return USUAL.field.join([*head, *(fields.get(number, "") for number in range(first, max(fields) + 1))])


def message(segments: Sequence[str], codec: str) -> bytes:
    """Returns the bytes of a message; a character that the codec lacks becomes `?`."""
    return "".join(f"{one}\r" for one in segments).encode(codec, "replace")
