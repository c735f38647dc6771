"""Bytes of a connection into the messages that MLLP frames, and back: 0x0B, the message, 0x1C 0x0D.

HL7's minimal lower layer protocol (transport specification, release 1), read as senders really write it.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

BEGIN: Final = b"\x0b"
END: Final = b"\x1c"
_AFTER_END: Final = b"\r"

HEAD: Final = 4_000
"""How many bytes are kept of a message that is too large, so that it can be answered."""


class Frame(NamedTuple):
    """A message; if it was larger than allowed, its first bytes."""

    body: bytes
    is_whole: bool = True

    def __repr__(self) -> str:
        """Returns nothing of a patient."""
        return "Frame(…)"


def framed(body: bytes) -> bytes:
    """Returns the bytes to send."""
    return BEGIN + body + END + _AFTER_END


class Deframer:
    """Takes the bytes of one connection as they come, in pieces of any size.

    What stands before a frame is noise: the CR of the one before, probes, empty lines. A frame ends with 0x1C, whether
    or not CR follows. Of a frame larger than `largest` only the first bytes are kept while the rest goes by.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._body = bytearray()
        self._is_inside = False
        self._is_whole = True

    @property
    def is_inside(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._is_inside

    def fed(self, data: bytes) -> Iterator[Frame]:
        """Yields the frames that end in these bytes. Take all of them before the next ones are fed."""
        at = 0
        while at < len(data):
            if not self._is_inside:
                begin = data.find(BEGIN, at)
                if begin < 0:
                    return
                self._begin()
                at = begin + 1
            if not self._body:
                at = _after_doubled(data, at)
            end = data.find(END, at)
            self._keep(data[at : end if end >= 0 else len(data)])
            if end < 0:
                return
            yield self._ended()
            at = end + 1

    def _begin(self) -> None:
        self._body.clear()
        self._is_inside = self._is_whole = True

    def _keep(self, part: bytes) -> None:
        if self._is_whole and len(self._body) + len(part) > self._largest:
            self._is_whole = False
            self._body += part[:HEAD]
            del self._body[HEAD:]
        elif self._is_whole:
            self._body += part

    def _ended(self) -> Frame:
        self._is_inside = False
        frame = Frame(bytes(self._body), self._is_whole)
        self._body.clear()
        return frame


def _after_doubled(data: bytes, at: int) -> int:
    """Returns where the message begins: some senders begin a frame twice."""
    while data[at : at + 1] == BEGIN:
        at += 1
    return at
