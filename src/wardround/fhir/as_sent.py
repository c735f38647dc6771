"""Keeps the resources of a search as the server sent them: a decimal keeps its digits, such as 1.50."""

from typing import Any, Final

import msgspec
import orjson

from wardround.fhir.json_object import json_object
from wardround.fhir.page import About, Misshapen, Shape, about_a_dict

Sent = dict[str, msgspec.Raw]
"""The elements of a resource, each as its JSON."""


def _about(resource: Sent | Misshapen) -> About:
    if isinstance(resource, Misshapen):
        return about_a_dict(resource)
    known: dict[str, Any] = {name: _element(resource[name]) for name in _TOLD if name in resource}
    return about_a_dict(known)


def _element(raw: msgspec.Raw) -> Any:
    """Returns an element's value; None if it is not valid JSON, which nobody looked at until now."""
    found = json_object(b'{"_":%s}' % bytes(raw))
    return None if found is None else found["_"]


_TOLD: Final = ("resourceType", "id", "meta", "issue")

AS_SENT: Final[Shape[Sent]] = Shape(Sent, _about)
"""Decodes only the names of a resource's elements."""


def line_of(resource: Sent | Misshapen) -> bytes | None:
    """Returns the resource as one line of JSON, without its line break; None if it is not JSON at all.

    What JSON does not allow is replaced, as `json_object` does.
    """
    whole = resource.resource if isinstance(resource, Misshapen) else resource
    line = msgspec.json.encode(whole)
    try:
        line = msgspec.json.format(line, indent=-1)
        orjson.loads(line)
    except (msgspec.DecodeError, orjson.JSONDecodeError):
        lenient = json_object(line)
        return None if lenient is None else orjson.dumps(lenient)
    return line
