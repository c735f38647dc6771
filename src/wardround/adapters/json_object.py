"""Bytes that a server sent in, the JSON object that they hold out."""

from codecs import BOM_UTF8
from typing import Any

import orjson


def json_object(content: bytes) -> dict[str, Any] | None:
    """The object, be there a byte order mark before it or not; None if the bytes hold something else."""
    try:
        found = orjson.loads(content.removeprefix(BOM_UTF8))
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
