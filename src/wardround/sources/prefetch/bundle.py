"""Decodes what stands under a prefetch key in one pass, into the elements of an Observation that are read."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from wardround.fhir.json_object import json_object
from wardround.fhir.page import Link, Misshapen, dicts
from wardround.sources.fhir.observation_shape import OBSERVATION, Observation

One = Observation | Misshapen | None


class Sent(NamedTuple):
    """A Bundle, or the head of another resource.

    Attributes:
        kind, type, total: its resourceType, and a Bundle's type and total, as they were sent.
        has_more: whether a link leads to a next page.
        addresses: the fullUrls of entries.
        resources: the resource of each entry; None if there is none.
    """

    kind: Any
    type: Any
    total: Any
    has_more: bool
    addresses: Sequence[Any]
    resources: Sequence[One]


class _Entry(msgspec.Struct, gc=False, rename={"address": "fullUrl"}):
    address: Any = None
    resource: Observation | None = None


class _Bundle(msgspec.Struct, rename={"kind": "resourceType"}):
    kind: Any = None
    type: Any = None
    total: Any = None
    link: list[Link] = []
    entry: list[_Entry] = []


class _Held(msgspec.Struct, gc=False):
    resource: msgspec.Raw = msgspec.Raw(b"null")


class _Holding(msgspec.Struct, gc=False):
    entry: list[_Held] = []


_BUNDLE: Final = msgspec.json.Decoder(_Bundle)
_HOLDING: Final = msgspec.json.Decoder(_Holding)
_NOT_SO: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def sent(content: bytes) -> Sent | None:
    """Returns what the bytes hold; None if they are not a JSON object. One misshapen resource does not lose others."""
    try:
        found = _BUNDLE.decode(content)
    except _NOT_SO:
        return _piecemeal(content)
    addresses = [one.address for one in found.entry if one.address is not None]
    resources = [one.resource for one in found.entry]
    return Sent(found.kind, found.type, found.total, _has_more(found.link), addresses, resources)


def each_resource(content: bytes) -> Iterator[bytes]:
    """Yields the resource of each entry of a Bundle, undecoded."""
    try:
        yield from (bytes(one.resource) for one in _HOLDING.decode(content).entry)
    except _NOT_SO:
        yield from (msgspec.json.encode(one.get("resource")) for one in _entries(json_object(content) or {}))


def _piecemeal(content: bytes) -> Sent | None:
    body = json_object(content)
    if body is None:
        return None
    links = [Link(one.get("relation"), one.get("url")) for one in dicts(body.get("link"))]
    entries = _entries(body)
    found = [one.get("resource") for one in entries]
    resources = [OBSERVATION.of(one) if isinstance(one, dict) else None for one in found]
    addresses = [one.get("fullUrl") for one in entries]
    return Sent(body.get("resourceType"), body.get("type"), body.get("total"), _has_more(links), addresses, resources)


def _entries(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Returns the entries; anything but an object counts as one without a resource: something was meant to be there."""
    entries = body.get("entry")
    listed = entries if isinstance(entries, list) else [entries] if entries else []
    return [one if isinstance(one, Mapping) else {} for one in listed]


def _has_more(links: Sequence[Link]) -> bool:
    return any(link.relation == "next" for link in links)
