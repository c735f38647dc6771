"""Files of many messages: cut into messages, with or without the FHS and BHS envelopes of HL7 v2.9 section 2.10.3."""

from collections.abc import Iterable, Iterator
from typing import Final

from wardround.hl7.header import header_of
from wardround.hl7.refused import Hl7Error

_ENVELOPE: Final = (b"FHS", b"BHS", b"BTS", b"FTS")
_FRAMING: Final = b"\x0b\x1c"  # of a file that was recorded from a connection
_MARK: Final = len(b"MSH|^~\\&|")
_BEFORE: Final = b"\xef\xbb\xbf" + _FRAMING


def messages_of(chunks: Iterable[bytes], largest: int) -> Iterator[bytes]:
    """Yields the messages of a file in order, and holds one at a time.

    A message goes from its MSH to the next one, or to the end of its batch, and ends with one CR, as over a connection.
    Raises Hl7Error where a line belongs to no message, and for a message of more than `largest` bytes; its place is a
    line.
    """
    message = bytearray()
    for number, line in _unglued(_lines(chunks, largest)):
        begun = line.lstrip(_BEFORE)
        if begun[:3] in _ENVELOPE or header_of(begun) is not None:
            yield from _ended(message)
            message.clear()
            message += begun if begun[:3] not in _ENVELOPE else b""
        elif message:
            message += line
        elif line.strip(_BEFORE + b"\r\n \t"):
            raise Hl7Error("no_header", f"line {number}")
        if len(message) > largest:
            raise Hl7Error("too_large", f"line {number}")
    yield from _ended(message)


def _ended(message: bytearray) -> Iterator[bytes]:
    if message:
        yield bytes(message.rstrip(_FRAMING + b"\r\n")) + b"\r"


def _unglued(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yields lines with their numbers, and what follows a header's first bytes inside a line as one of its own.

    So do files without a last line end look when they were joined.
    """
    mark = b""
    for number, line in enumerate(lines, 1):
        rest = line
        if rest.lstrip(_BEFORE)[:3] == b"MSH":
            mark = rest.lstrip(_BEFORE)[:_MARK]
        while mark and (at := rest.find(mark, 1 + len(rest) - len(rest.lstrip(_BEFORE)))) > 0:
            yield number, rest[:at]
            rest = rest[at:]
        yield number, rest


def _lines(chunks: Iterable[bytes], largest: int) -> Iterator[bytes]:
    """Yields lines with their ends; a CRLF across two chunks stays one."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).splitlines(keepends=True) or [b""]
        yield from lines
        if len(rest) > largest:  # of a message that is too large; it is not held any longer
            yield rest
            rest = b""
    if rest:
        yield rest
