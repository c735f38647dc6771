"""Escape sequences: characters that a value could not contain otherwise."""

import re
from functools import lru_cache
from typing import Final

from wardround.hl7.separators import Separators

_HEX: Final = re.compile(r"X((?:[0-9A-Fa-f]{2})+)")
_HIGHLIGHTING: Final = ("H", "N")


@lru_cache(maxsize=64)
def _pattern(escape: str) -> re.Pattern[str]:
    mark = re.escape(escape)
    return re.compile(f"{mark}([^{mark}]*){mark}")


def unescaped(value: str, separators: Separators, codec: str) -> str:
    r"""Returns a value with its escape sequences replaced.

    Those are \F\ \S\ \T\ \R\ \E\ \P\ for the separators and \Xhh…\ for bytes of the message's character set; begin and
    end of highlighting are dropped. Any other sequence stays as it is, and so does what only looks like one.
    """
    escape = separators.escape
    if not escape or escape not in value:
        return value
    meaning = {
        "F": separators.field,
        "S": separators.component,
        "T": separators.subcomponent,
        "R": separators.repetition,
        "E": escape,
        "P": separators.truncation,
    }

    def replaced(found: re.Match[str]) -> str:
        sequence = found[1]
        if sequence in _HIGHLIGHTING:
            return ""
        if character := meaning.get(sequence):
            return character
        if digits := _HEX.fullmatch(sequence):
            try:
                return bytes.fromhex(digits[1]).decode(codec)
            except UnicodeDecodeError:
                return found[0]
        return found[0]

    return _pattern(escape).sub(replaced, value)
