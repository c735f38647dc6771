"""Writes HL7 v2 text: segments of fields, escaped; it shares nothing with the product's reader, which it tries out.

It sees patient values; it never logs.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

FIELD, COMPONENT, REPETITION, SUBCOMPONENT = "|", "^", "~", "&"
_ESCAPES: Final = {
    "\\": "\\E\\", FIELD: "\\F\\", COMPONENT: "\\S\\", REPETITION: "\\R\\", SUBCOMPONENT: "\\T\\", "\r": " ", "\n": " ",
}  # fmt: skip
_HEADER: Final = "MSH"


def escaped(text: str) -> str:
    """Returns the text as a component may hold it."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def components(*texts: str) -> str:
    """Returns a field of components; empty ones at its end are left out."""
    return COMPONENT.join(map(escaped, texts)).rstrip(COMPONENT)


def repetitions(fields: Sequence[str]) -> str:
    """Returns a field that is repeated."""
    return REPETITION.join(fields)


def segment(name: str, fields: Mapping[int, str]) -> str:
    """Returns a segment from its fields by number, as HL7 counts them; MSH-1 and MSH-2 are added by themselves."""
    last = max(fields, default=0)
    if name == _HEADER:
        delimiters = COMPONENT + REPETITION + "\\" + SUBCOMPONENT
        return FIELD.join([name, delimiters, *(fields.get(number, "") for number in range(3, last + 1))])
    return FIELD.join([name, *(fields.get(number, "") for number in range(1, last + 1))])


def message(segments: Sequence[str], charset: str = "utf-8") -> bytes:
    """Returns a message's bytes; each segment ends with a carriage return. What the charset lacks becomes `?`."""
    return "".join(f"{one}\r" for one in segments).encode(charset, "replace")


def timestamp(time: datetime, offset: bool = True) -> str:
    """Returns a time to the second, with its offset from UTC unless the sender leaves it out."""
    return time.strftime("%Y%m%d%H%M%S%z" if offset else "%Y%m%d%H%M%S")
