"""Reads the JSON object in the bytes that a server sent.

Some servers write what JSON does not allow: NaN, numbers too large for any computer, half of a surrogate pair. Such a
number or half is replaced by U+FFFD, so that it spoils only its own resource and not everything that came with it. null
would not do: an element that changes what a value means would then seem to be absent.
"""

import json
import math
from codecs import BOM_UTF8
from typing import Any, Final

import orjson

_UNREADABLE: Final = "\N{REPLACEMENT CHARACTER}"
# Python refuses to read a number with more digits, and no hospital quantity has that many.
_MOST_DIGITS: Final = 300
# If an object is cut inside a word or a number, the error is reported up to this many characters before its end.
_LONGEST_WORD: Final = 12


def json_object(content: bytes) -> dict[str, Any] | None:
    """Returns the object, with or without a byte order mark before it; None if the bytes hold anything else."""
    try:
        found = orjson.loads(content.removeprefix(BOM_UTF8))
    except orjson.JSONDecodeError:
        found = _parsed_leniently(content.removeprefix(BOM_UTF8))
    return found if isinstance(found, dict) else None


def is_cut(content: bytes) -> bool:
    """Returns whether these bytes, which are not valid JSON, would be if they were not truncated."""
    text = content.removeprefix(BOM_UTF8).decode("utf-8", "replace").rstrip()
    try:
        _DECODER.decode(text)
    except json.JSONDecodeError as error:
        return error.msg.startswith("Unterminated string") or error.pos >= len(text) - _LONGEST_WORD
    except RecursionError:
        return False
    return False


def _parsed_leniently(content: bytes) -> Any:
    try:
        # Bytes that are not UTF-8 are treated like half characters.
        return _whole(_DECODER.decode(content.decode("utf-8", "replace").strip()))
    except (json.JSONDecodeError, RecursionError):
        return None


def _float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else _UNREADABLE


def _int(text: str) -> int | str:
    return int(text) if len(text) <= _MOST_DIGITS else _UNREADABLE


def _not_a_number(_text: str) -> str:
    """Replaces NaN and the infinities."""
    return _UNREADABLE


_DECODER: Final = json.JSONDecoder(parse_float=_float, parse_int=_int, parse_constant=_not_a_number, strict=False)


def _whole(node: Any) -> Any:
    """Returns the same with whole characters only: an escape may hold half of a surrogate pair."""
    if isinstance(node, dict):
        return {_whole(key): _whole(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_whole(item) for item in node]
    return node.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(node, str) else node
