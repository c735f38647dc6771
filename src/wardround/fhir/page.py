"""The bytes of a search's page in, the Bundle out, its resources decoded into no more than what is read of them."""

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, TypeVar, final

import msgspec

from wardround.fhir.json_object import json_object
from wardround.fhir.references import Resource
from wardround.fhir.versions import last_updated

T = TypeVar("T")
_TYPE: Final = re.compile(r"[A-Z][A-Za-z]{1,39}", re.ASCII)
About = tuple[Any, Any, Any, Any]


class Link(msgspec.Struct):
    """A link of a Bundle."""

    relation: Any = None
    url: Any = None


class Entry(msgspec.Struct, Generic[T], gc=False):
    """An entry of a searchset; `resource` is None where it holds none, or is no entry."""

    resource: T | None = None


class Page(msgspec.Struct, Generic[T]):
    """A Bundle, or what a server answered instead; named as in FHIR.

    `issue` is that of an OperationOutcome.
    """

    resourceType: Any = None  # noqa: N815 - FHIR's names are what is decoded
    total: Any = None
    link: list[Link] = []
    entry: list[Entry[T]] = []
    issue: Any = None


@final
class Misshapen(msgspec.Struct):
    """A resource that has not the shape of what was searched for, as the server gave it."""

    resource: Resource


class Shape(Generic[T]):
    """What the resources of a search are decoded into.

    A `dict` holds all of a resource. A Struct holds the elements that it names: a page is decoded in a fifth of the
    time, and takes a fifth of the memory. `about` gives a resource's type, id, issue (of an OperationOutcome) and
    lastUpdated.
    """

    def __init__(self, kind: type[T], about: "Callable[[T | Misshapen], About]") -> None:
        self._kind = kind
        self.about = about
        self._one = msgspec.json.Decoder(kind)
        self._page = msgspec.json.Decoder(Page[kind])  # type: ignore[valid-type]

    def page(self, content: bytes) -> "Page[T | Misshapen] | None":
        """The page; None if the bytes are no JSON object. One misshapen resource does not cost the others."""
        try:
            # Some servers write a byte order mark, and no decoder takes it.
            return self._page.decode(content.removeprefix(BOM_UTF8))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # a wrong shape is a DecodeError as well
            return self._piecemeal(content)

    def of(self, resource: Resource) -> "T | Misshapen":
        """One resource that was decoded already."""
        try:
            return msgspec.convert(resource, self._kind)
        except msgspec.ValidationError:
            return Misshapen(resource)

    def decoded(self, content: bytes) -> "T | Misshapen | None":
        """One resource; None if the bytes are no JSON object."""
        try:
            return self._one.decode(content.removeprefix(BOM_UTF8))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            body = json_object(content)
            return None if body is None else self.of(body)

    def _piecemeal(self, content: bytes) -> "Page[T | Misshapen] | None":
        body = json_object(content)
        if body is None:
            return None
        entries = body.get("entry")
        # What is no list is taken for one entry: something was to be there.
        listed = entries if isinstance(entries, list) else [entries] if entries else []
        found = (entry.get("resource") if isinstance(entry, dict) else None for entry in listed)
        return Page(
            resourceType=body.get("resourceType"),
            total=body.get("total"),
            link=[Link(link.get("relation"), link.get("url")) for link in dicts(body.get("link"))],
            entry=[Entry(self.of(resource) if isinstance(resource, dict) else None) for resource in found],
            issue=body.get("issue"),
        )


def dicts(items: Any) -> Iterator[Resource]:
    """The objects of what should be a list of objects."""
    return (item for item in items if isinstance(item, dict)) if isinstance(items, list) else iter(())


def called(resource_type: Any) -> str:
    """What a message may call the answer of a server, which can write anything where a type belongs."""
    is_type = isinstance(resource_type, str) and _TYPE.fullmatch(resource_type)
    return str(resource_type) if is_type else "no resource"


def about_a_dict(resource: Resource | Misshapen) -> About:
    """What `about` of a Shape gives, of a resource as it was."""
    if isinstance(resource, Misshapen):
        resource = resource.resource
    return resource.get("resourceType"), resource.get("id"), resource.get("issue"), last_updated(resource)


WHOLE: Final = Shape(dict[str, Any], about_a_dict)
"""Everything of each resource, as a dict."""
