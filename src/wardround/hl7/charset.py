"""Which character set a message is in, and its bytes as text."""

import re
from typing import Final, NamedTuple

from wardround.hl7.refused import Hl7Error

# HL7 table 0211, and how systems really write its codes. Blanks, hyphens, underlines, slashes and case do not count.
# Japanese messages switch between the ISO IR sets with escape sequences, which is ISO 2022.
_CODECS: Final = {
    "ascii": "ascii",
    "usascii": "ascii",
    "isoir6": "ascii",
    **{f"8859{part}": f"iso8859_{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
    **{f"iso8859{part}": f"iso8859_{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
    "isoir100": "iso8859_1",
    "latin1": "iso8859_1",
    "cp1252": "cp1252",
    "windows1252": "cp1252",
    "utf8": "utf_8",
    "unicode": "utf_8",
    "unicodeutf8": "utf_8",
    "isoir14": "iso2022_jp_ext",
    "isoir87": "iso2022_jp_ext",
    "isoir159": "iso2022_jp_ext",
    "gb180302000": "gb18030",
    "gb18030": "gb18030",
    "ksx1001": "euc_kr",
    "big5": "big5",
}
_UNDECLARED: Final = ("utf_8", "cp1252")

GUESSED: Final = "charset_guessed"
"""The remark on a message that names no character set and is not UTF-8."""


class Decoded(NamedTuple):
    """A message as text.

    Attributes:
        text: without a byte order mark.
        codec: Python's name of its character set.
        is_guessed: nobody said so, and it is not UTF-8.
    """

    text: str
    codec: str
    is_guessed: bool

    def __repr__(self) -> str:
        """Returns nothing of a patient."""
        return f"Decoded({self.codec}, …)"


def codec_of(names: str) -> str | None:
    """Returns Python's name of the character set that a field like MSH-18 names, None for an unknown one.

    Of several (`ASCII~ISO IR87`) the one counts that can write them all: the Japanese one, else the first.
    """
    known = [_CODECS.get(re.sub(r"[\s_/.-]", "", name).lower()) for name in names.split("~") if name.strip()]
    return next((codec for codec in known if codec == "iso2022_jp_ext"), known[0] if known else None)


def decoded(body: bytes, declared: str, expected: str | None = None) -> Decoded:
    """Returns a message's text.

    `declared` is its MSH-18, and `expected` the character set that its source is known to write, which counts more. One
    that is named is taken at its word, so that no wrong letter gets into a name; a message that names none is read as
    UTF-8, else as Windows-1252. Raises Hl7Error.
    """
    named = expected or declared.strip()
    if named:
        codec = codec_of(named)
        if codec is None:
            raise Hl7Error("charset_unknown", "MSH-18")
        return Decoded(_strictly(body, codec), codec, False)
    for codec in _UNDECLARED:
        try:
            return Decoded(_strictly(body, codec), codec, codec != _UNDECLARED[0])
        except Hl7Error:
            continue
    raise Hl7Error("charset_broken", "message")


def _strictly(body: bytes, codec: str) -> str:
    try:
        return body.decode(codec).removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise Hl7Error("charset_broken", "message") from None
