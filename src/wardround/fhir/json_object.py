"""Bytes that a server sent in, the JSON object that they hold out.

Some servers write what JSON does not allow: NaN, numbers that no computer holds, half of a character. In the place of
such a number or half stands U+FFFD, so that it costs its own resource and not all that came with it. null would not
do: an element that changes what a value means would then be none.
"""

import json
import math
from codecs import BOM_UTF8
from typing import Any, Final

import orjson

_UNREADABLE: Final = "\N{REPLACEMENT CHARACTER}"
# Python refuses to read a number of more digits, and no quantity in a hospital has as many.
_MOST_DIGITS: Final = 300
# Where an object is cut inside a word or a number, the fault is found as far before its end.
_LONGEST_WORD: Final = 12


def json_object(content: bytes) -> dict[str, Any] | None:
    """The object, be there a byte order mark before it or not; None if the bytes hold something else."""
    try:
        found = orjson.loads(content.removeprefix(BOM_UTF8))
    except orjson.JSONDecodeError:
        found = _forgiving(content.removeprefix(BOM_UTF8))
    return found if isinstance(found, dict) else None


def is_cut(content: bytes) -> bool:
    """Whether what is no JSON would be, had it not broken off."""
    text = content.removeprefix(BOM_UTF8).decode("utf-8", "replace").rstrip()
    try:
        _DECODER.decode(text)
    except json.JSONDecodeError as error:
        return error.msg.startswith("Unterminated string") or error.pos >= len(text) - _LONGEST_WORD
    except RecursionError:
        return False
    return False


def _forgiving(content: bytes) -> Any:
    try:
        # Bytes that are no UTF-8 are half characters too.
        return _whole(_DECODER.decode(content.decode("utf-8", "replace").strip()))
    except (json.JSONDecodeError, RecursionError):
        return None


def _float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else _UNREADABLE


def _int(text: str) -> int | str:
    return int(text) if len(text) <= _MOST_DIGITS else _UNREADABLE


def _no_number(_text: str) -> str:
    """NaN and the infinities."""
    return _UNREADABLE


_DECODER: Final = json.JSONDecoder(parse_float=_float, parse_int=_int, parse_constant=_no_number, strict=False)


def _whole(node: Any) -> Any:
    """The same with whole characters only: what stands in an escape may be half of one."""
    if isinstance(node, dict):
        return {_whole(key): _whole(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_whole(item) for item in node]
    return node.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(node, str) else node
