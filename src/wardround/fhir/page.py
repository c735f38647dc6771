"""Decodes a page of search results into a Bundle whose resources hold only what is read of them."""

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, TypedDict, TypeVar, final

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
    """An entry of a searchset; `resource` is None if it holds none, or if it is not a valid entry."""

    resource: T | None = None


class Page(msgspec.Struct, Generic[T]):
    """A Bundle, or what a server answered instead; fields are named as in FHIR.

    `issue` is that of an OperationOutcome.
    """

    resourceType: Any = None  # noqa: N815 - FHIR's names are what is decoded
    total: Any = None
    link: list[Link] = []
    entry: list[Entry[T]] = []
    issue: Any = None


@final
class Misshapen(msgspec.Struct):
    """A resource without the shape of what was searched for, as the server sent it."""

    resource: Resource


class Shape(Generic[T]):
    """What the resources of a search are decoded into.

    A `dict` holds all of a resource. A Struct holds only the elements that it names: decoding a page takes a fifth of
    the time and of the memory. `about` returns a resource's type, id, issue (of an OperationOutcome) and lastUpdated.
    """

    def __init__(self, kind: type[T], about: "Callable[[T | Misshapen], About]") -> None:
        self._kind = kind
        self.about = about
        self._one = msgspec.json.Decoder(kind)
        self._page = msgspec.json.Decoder(Page[kind])  # type: ignore[valid-type]

    def page(self, content: bytes) -> "Page[T | Misshapen] | None":
        """Returns the page; None if the bytes are not a JSON object.

        One misshapen resource does not lose the others.
        """
        try:
            # Some servers write a byte order mark, which no decoder accepts.
            return self._page.decode(content.removeprefix(BOM_UTF8))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # a wrong shape is a DecodeError as well
            return self._piecemeal(content)

    def of(self, resource: Resource) -> "T | Misshapen":
        """Returns one resource that was decoded already."""
        try:
            return msgspec.convert(resource, self._kind)
        except msgspec.ValidationError:
            return Misshapen(resource)

    def decoded(self, content: bytes) -> "T | Misshapen | None":
        """Returns one resource; None if the bytes are not a JSON object."""
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
        # Anything but a list is treated as one entry: something was meant to be there.
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
    """Yields the objects in what should be a list of objects."""
    return (item for item in items if isinstance(item, dict)) if isinstance(items, list) else iter(())


def called(resource_type: Any) -> str:
    """Returns what a message may call a server's answer, which can hold anything in place of a type."""
    is_type = isinstance(resource_type, str) and _TYPE.fullmatch(resource_type)
    return str(resource_type) if is_type else "no resource"


def about_a_dict(resource: Resource | Misshapen) -> About:
    """Returns what `about` of a Shape does, for a resource as it was received."""
    if isinstance(resource, Misshapen):
        resource = resource.resource
    return resource.get("resourceType"), resource.get("id"), resource.get("issue"), last_updated(resource)


WHOLE: Final = Shape(dict[str, Any], about_a_dict)
"""Keeps everything of each resource, as a dict."""


def only(*elements: str) -> Shape[Resource]:
    """Returns the shape that keeps only these elements of each resource, as a dict, beside what tells it apart."""
    kept = dict.fromkeys(("resourceType", "id", "meta", "issue", *elements), Any)
    # Every JSON object has this shape, as no element is required.
    return Shape(TypedDict("_Elements", kept, total=False), about_a_dict)  # type: ignore[operator]
