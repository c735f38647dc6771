"""Reads which message an acknowledgement is for, and what it says; it shares nothing with the product's reader."""

from typing import Final, NamedTuple

ACCEPTED: Final = ("AA", "CA")
FAILED: Final = ("AE", "CE")
"""The receiver could not store it now: the sender keeps it and sends it again."""


class Acknowledged(NamedTuple):
    """An acknowledgement: its code (MSA-1) and the control id that it names (MSA-2); both empty if it has no MSA."""

    code: str
    control_id: str


def acknowledged(answer: bytes) -> Acknowledged:
    """Returns what an acknowledgement says."""
    for line in answer.decode("latin-1").split("\r"):
        if line.startswith("MSA") and len(line) > 4:
            fields = [*line.split(line[3]), "", ""]
            return Acknowledged(fields[1], fields[2])
    return Acknowledged("", "")
