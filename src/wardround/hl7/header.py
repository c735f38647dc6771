"""The MSH segment by itself: what an answer needs, even of a message whose rest cannot be read."""

import re
from dataclasses import dataclass
from typing import Final

from wardround.hl7.charset import codec_of
from wardround.hl7.separators import USUAL, can_separate

_BEFORE: Final = b"\xef\xbb\xbf\r\n\t \x00"  # a byte order mark, and what files begin with
_LINE_END: Final = re.compile(rb"[\r\n]")
# Every byte has a meaning in it, so that what was read with it is written back as it came.
_ANY_BYTE: Final = "latin_1"


@dataclass(frozen=True, repr=False)
class Header:
    """The fields of a message's MSH as they were sent: `fields[n]` is MSH-n, with nothing unescaped or stripped."""

    fields: tuple[str, ...]
    codec: str

    def __getitem__(self, number: int) -> str:
        """Returns MSH-<number>, "" where the segment is shorter."""
        return self.fields[number] if number < len(self.fields) else ""

    @property
    def component_separator(self) -> str:
        return self[2][:1] or USUAL.component

    @property
    def code(self) -> str:
        """The kind of message, MSH-9.1, such as ADT."""
        return self[9].split(self.component_separator)[0].strip()

    @property
    def trigger(self) -> str:
        """The event of MSH-9.2, such as A01."""
        return self[9].partition(self.component_separator)[2].split(self.component_separator)[0].strip()

    @property
    def processing_id(self) -> str:
        """The first component of MSH-11: P for production, T for training, D for debugging."""
        return self[11].split(self.component_separator)[0].strip()

    @property
    def accept(self) -> str:
        """MSH-15: when an accept acknowledgement is wanted; "" in original mode."""
        return _condition(self[15])

    @property
    def application(self) -> str:
        """MSH-16: when an application acknowledgement is wanted; "" in original mode."""
        return _condition(self[16])


def _condition(field: str) -> str:
    return field.strip().strip('"').upper()


def start_of(body: bytes) -> int:
    """Returns where a message's first segment begins: after a byte order mark, blanks and empty lines."""
    return len(body) - len(body.lstrip(_BEFORE))


def header_of(body: bytes) -> Header | None:
    """Returns the header of a message, None if it does not begin with one. `body` may be the first part only."""
    start = start_of(body)
    line = _LINE_END.split(body[start:], maxsplit=1)[0]
    separator = line[3:4].decode(_ANY_BYTE)
    if line[:3] != b"MSH" or not can_separate(separator):
        return None
    parts = line[4:].split(line[3:4])
    named = parts[16].decode(_ANY_BYTE) if len(parts) > 16 else ""
    text, codec = _readable(line, codec_of(named) or "utf_8")
    return Header(("MSH", separator, *text[4:].split(separator)), codec)


def _readable(line: bytes, codec: str) -> tuple[str, str]:
    try:
        return line.decode(codec), codec
    except UnicodeDecodeError:
        return line.decode(_ANY_BYTE), _ANY_BYTE
