r"""A tolerant reader of HL7 v2: bytes in, a frozen message out, whose values are found by position.

What cannot be doubted is read, whatever a profile would say of it: unknown segments and versions, too few or too many
fields, any line end. Nothing is validated away; a message is refused only where reading on would be a guess. The rules
are those of HL7 v2.9 chapter 2, and docs/decisions/0056-reading-hl7-and-acknowledging.md says where they are bent.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from wardround.hl7.charset import GUESSED, decoded
from wardround.hl7.escapes import unescaped
from wardround.hl7.header import Header, header_of, start_of
from wardround.hl7.refused import Hl7Error
from wardround.hl7.separators import Separators, separators_of

NULL: Final = '""'
"""HL7's null: the sender says that there is no value. An empty field says nothing at all, and is ""."""
STRAY_LINE: Final = "stray_line"
"""The remark on a message with lines that are no segments, as a line end inside a value leaves them."""

_LINE_ENDS: Final = re.compile(r"[\r\n]+")
_NAME: Final = re.compile(r"[A-Z][A-Z0-9]{2}")


@dataclass(frozen=True, slots=True, repr=False)
class Repetition:
    """One value of a field, with its components. `raw` is as it was sent."""

    raw: str
    separators: Separators
    codec: str

    def value(self, component: int = 1, subcomponent: int = 1) -> str:
        """Returns a part of it, counted from 1: without blanks around it, unescaped, "" where there is none."""
        part = _part(self.raw, self.separators.component, component)
        part = _part(part, self.separators.subcomponent, subcomponent).strip()
        return unescaped(part, self.separators, self.codec)


@dataclass(frozen=True, slots=True, repr=False)
class Segment:
    """A segment: `fields[n]` is field n as it was sent, and `fields[0]` the name."""

    fields: tuple[str, ...]
    separators: Separators
    codec: str

    @property
    def name(self) -> str:
        return self.fields[0]

    def repetitions(self, field: int) -> tuple[Repetition, ...]:
        """Returns all values of a field in order; none if it is empty."""
        raw = self.fields[field] if field < len(self.fields) else ""
        if not raw.strip():
            return ()
        return tuple(Repetition(one, self.separators, self.codec) for one in raw.split(self.separators.repetition))

    def value(self, field: int, component: int = 1, subcomponent: int = 1) -> str:
        """Returns a part of a field's first repetition, counted from 1; "" where there is none, NULL for HL7's null."""
        found = self.repetitions(field)
        return found[0].value(component, subcomponent) if found else ""


@dataclass(frozen=True, repr=False)
class Hl7Message:
    """A message that could be read.

    Attributes:
        header: its MSH, as it was sent.
        lines: its segments, the MSH first.
        separators: the characters that separate its parts.
        codec: Python's name of its character set.
        remarks: what is to be counted about it, such as GUESSED or STRAY_LINE.
    """

    header: Header
    lines: tuple[str, ...]
    separators: Separators
    codec: str
    remarks: tuple[str, ...] = ()

    def segments(self) -> Iterator[Segment]:
        """Yields all segments in order."""
        return map(self._segment, self.lines)

    def all(self, name: str) -> tuple[Segment, ...]:
        """Returns the segments of this name, such as PID, in order."""
        return tuple(self._segment(line) for line in self.lines if line[:3] == name)

    def first(self, name: str) -> Segment | None:
        """Returns the first segment of this name, None if there is none."""
        return next((self._segment(line) for line in self.lines if line[:3] == name), None)

    def value(self, name: str, field: int, component: int = 1, subcomponent: int = 1) -> str:
        """Returns a part of a field's first repetition in the first segment of this name, "" where there is none."""
        segment = self.first(name)
        return segment.value(field, component, subcomponent) if segment else ""

    @cached_property
    def msh(self) -> Segment:
        """The first segment, as all others: `msh.value(4, 2)` is the universal id of the sending facility."""
        return self._segment(self.lines[0])

    @property
    def control_id(self) -> str:
        """MSH-10. Not unique: systems begin again to count, and some always write the same."""
        return self.msh.value(10)

    @property
    def version(self) -> str:
        """MSH-12.1, such as 2.5.1."""
        return self.msh.value(12)

    @property
    def processing_id(self) -> str:
        """MSH-11.1: P for production, T for training, D for debugging."""
        return self.msh.value(11)

    @property
    def code(self) -> str:
        """MSH-9.1, such as ADT."""
        return self.msh.value(9)

    @property
    def event(self) -> str:
        """MSH-9.2, such as A01; EVN-1 only where a sender leaves that out, since the two may disagree."""
        return self.msh.value(9, 2) or self.value("EVN", 1)

    @property
    def structure(self) -> str:
        """MSH-9.3, such as ADT_A01; often left out or wrong."""
        return self.msh.value(9, 3)

    def _segment(self, line: str) -> Segment:
        separator = self.separators.field
        # MSH-1 is the separator itself, which splitting swallows.
        fields = ("MSH", separator, *line[4:].split(separator)) if line[:3] == "MSH" else tuple(line.split(separator))
        return Segment(fields, self.separators, self.codec)


def read(body: bytes, charset: str | None = None) -> Hl7Message:
    """Returns the message of a frame or a file, without its framing bytes.

    `charset` is what the source is known to write, in the words of HL7 table 0211, whatever its messages say of
    themselves. Raises Hl7Error.
    """
    header = header_of(body)
    if header is None:
        raise Hl7Error("no_header", "MSH")
    text, codec, is_guessed = decoded(body[start_of(body) :], header[18], charset)
    lines = _lines(text)
    separators = separators_of(header[1], lines[0][4:].partition(header[1])[0])
    kept = tuple(line for line in lines if _is_segment(line, separators))
    # Also in the middle of a line: files without a last line end that were joined.
    if any(line[:3] == "MSH" for line in kept[1:]) or text.find("MSH" + "".join(separators), 1) > 0:
        raise Hl7Error("several_messages", "MSH")
    remarks = (*([GUESSED] if is_guessed else []), *([STRAY_LINE] if len(kept) < len(lines) else []))
    return Hl7Message(header, kept, separators, codec, remarks)


def _lines(text: str) -> list[str]:
    """Returns the lines that are not empty.

    CR ends a segment, CRLF too. LF ends one only in a message whose first segment ends with it; elsewhere it is a line
    break that somebody typed into a value.
    """
    end = _LINE_ENDS.search(text)
    if end is None or end[0][0] == "\n":
        lines = _LINE_ENDS.split(text)
    else:
        lines = [line.removeprefix("\n") for line in text.split("\r")]
    return [line for line in lines if line.strip()]


def _is_segment(line: str, separators: Separators) -> bool:
    return _NAME.fullmatch(line[:3]) is not None and line[3:4] in ("", separators.field)


def _part(text: str, separator: str, number: int) -> str:
    if not separator:
        return text if number == 1 else ""
    parts = text.split(separator, number)
    return parts[number - 1] if len(parts) >= number else ""
