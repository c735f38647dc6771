"""Extracts the resources of a Bundle, each as bytes, with an id and with references that are valid without the Bundle.

It reads transactions, batches, collections, searchsets and histories, and a CDS Hooks prefetch with several of them.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeGuard
from uuid import UUID, uuid5

import msgspec
import orjson

from wardround.core.microseconds import UNKNOWN
from wardround.fhir.references import Bases, Resource, is_id
from wardround.fhir.versions import ALWAYS, last_updated, updated_at

OUTCOME: Final = "OperationOutcome"
# Elements of the types url, uri, canonical, oid and uuid, which a transaction rewrites in the same way as References.
_ADDRESSES: Final = frozenset({"url", "uri", "valueUrl", "valueUri", "valueCanonical", "valueOid", "valueUuid"})
_URNS: Final = ("urn:uuid:", "urn:oid:")
_OURS: Final = UUID("5d2c9c39-6f6c-4f0b-9a55-0c3c86a1b7d4")  # the namespace of the ids that are assigned here
_TOO_DEEP: Final = "nested too deeply, expected a few hundred levels at most"
_MOST_DIGITS: Final = 300  # as in json_object


class Unusable(Exception):
    """What was found at a place is not usable; the message says why, and never contains a value."""


@dataclass
class Account:
    """What was found besides resources while reading a folder.

    Attributes:
        deleted: `Type/id` of deleted resources, with the latest time of each deletion (microseconds since 1970).
        outcomes: number of OperationOutcomes, which are about the export or the search and are not data.
        unresolved: number of references by urn or criteria to no entry of the Bundle; they are left unchanged.
        passed_over: files that, judging by their names, contain no FHIR resources.
    """

    deleted: dict[str, int] = field(default_factory=dict)
    outcomes: int = 0
    unresolved: int = 0
    passed_over: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Returns the number of each, for people."""
        counted = {
            "resources_deleted": len(self.deleted),
            "operation_outcomes": self.outcomes,
            "references_unresolved": self.unresolved,
            "files_passed_over": len(self.passed_over),
        }
        return {name: count for name, count in counted.items() if count}


class _Entry(msgspec.Struct, gc=False, rename={"url": "fullUrl"}):
    url: Any = None
    resource: msgspec.Raw = msgspec.Raw(b"null")
    request: Any = None
    response: Any = None

    @property
    def method(self) -> Any:
        return self.request.get("method") if isinstance(self.request, dict) else None


class _Bundle(msgspec.Struct):
    type: Any = None
    meta: Any = None
    timestamp: Any = None
    entry: list[_Entry] = []


_BUNDLE: Final = msgspec.json.Decoder(_Bundle)


class _Head(msgspec.Struct, gc=False):
    """What distinguishes an entry's resource from others."""

    resourceType: Any = None  # noqa: N815
    id: Any = None


_HEAD: Final = msgspec.json.Decoder(_Head)


class _Named(msgspec.Struct, gc=False):
    """An entry with the id that its resource has, or is given in `new_id`."""

    number: int
    entry: _Entry
    kind: str
    new_id: str | None = None


def entries_of(
    content: bytes, account: Account, bases: Bases, refuse: Callable[[int, str], None]
) -> Iterator[tuple[int, str, bytes]]:
    """Yields number, type and bytes of each entry's resource; counts deletions and OperationOutcomes in the account.

    `refuse` is called for entries that cannot be used. Raises Unusable if the content is not a Bundle. The content is
    kept in memory, and what distinguishes each entry from the others.
    """
    bundle = _bundle(content)
    entries = list(enumerate(bundle.entry, start=1))
    if bundle.type == "history":
        entries.reverse()  # a history begins with the newest version, and we use the last one
    names, named = _Names(), []
    for number, entry in entries:
        try:
            if entry.method == "DELETE":
                _delete(entry, bundle, account, bases)
            elif (head := _head(entry)).resourceType == OUTCOME:
                account.outcomes += 1
            else:
                named.append(names.note(number, entry, head))
        except Unusable as error:
            refuse(number, str(error))
    resolve = _resolver(names.targets, account)
    for one in named:
        resource, dump = _object(bytes(one.entry.resource))
        if one.new_id is not None:
            resource["id"] = one.new_id
        try:
            text = dump(rewritten(resource, resolve, names.targets))
        except (RecursionError, orjson.JSONEncodeError, Unusable):
            refuse(one.number, _TOO_DEEP)
            continue
        yield one.number, one.kind, text


def resources_of_prefetch(content: bytes) -> list[bytes]:
    """Returns the resources and Bundles of a CDS Hooks prefetch. Raises Unusable for any other JSON."""
    try:
        named = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        found = [bytes(one) for one in named.values() if bytes(one) != b"null"]
        usable = bool(found) and all(kind_of(one) for one in found)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Unusable):
        usable = False
    if not usable:
        raise Unusable(
            "neither a resource, a Bundle nor the resources of a prefetch; correct it, or move it out of the folder"
        )
    return found


class _Kind(msgspec.Struct, gc=False):
    resourceType: Any = None  # noqa: N815 - FHIR's name is what is decoded


_KIND: Final = msgspec.json.Decoder(_Kind)


def kind_of(content: bytes) -> str:
    """Returns the resourceType of a JSON object, empty if it has no possible one. Raises Unusable if not an object."""
    try:
        kind = _KIND.decode(content).resourceType
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        kind = _object(content)[0].get("resourceType")
    return kind if _is_type(kind) else ""


def _is_type(kind: Any) -> TypeGuard[str]:
    return isinstance(kind, str) and kind.isascii() and kind.isalpha()


def rewritten(node: Any, resolve: Callable[[str], str], targets: Mapping[str, str]) -> Any:
    """Returns the JSON with References, and other addresses that are among the targets, passed through `resolve`."""
    if isinstance(node, dict):
        return {key: _rewritten(key, value, resolve, targets) for key, value in node.items()}
    if isinstance(node, list):
        return [rewritten(item, resolve, targets) for item in node]
    return node


def _rewritten(key: str, value: Any, resolve: Callable[[str], str], targets: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return rewritten(value, resolve, targets) if isinstance(value, (dict, list)) else value
    if key == "reference":
        return resolve(value)
    return targets.get(value, value) if key in _ADDRESSES else value


def _bundle(content: bytes) -> _Bundle:
    try:
        return _BUNDLE.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    body, _ = _object(content)
    entries = body.get("entry", [])
    if not isinstance(entries, list):
        raise Unusable("its entries are not a list, expected a Bundle with entries; correct it")
    listed = [entry if isinstance(entry, dict) else {} for entry in entries]
    made = [
        _Entry(one.get("fullUrl"), msgspec.Raw(_dump(one.get("resource"))), one.get("request"), one.get("response"))
        for one in listed
    ]
    return _Bundle(body.get("type"), body.get("meta"), body.get("timestamp"), made)


def _object(content: bytes) -> tuple[Resource, Callable[[Any], bytes]]:
    """Returns a JSON object and the function to write it again, even with values that JSON does not allow.

    Raises Unusable if it is not an object.
    """
    try:
        found = orjson.loads(content)
        dump: Callable[[Any], bytes] = orjson.dumps
    except orjson.JSONDecodeError:
        dump = _dump
        try:
            found = json.loads(content.decode("utf-8", "surrogateescape"), parse_int=_int, strict=False)
        except (ValueError, RecursionError):
            found = None
    if not isinstance(found, dict):
        raise Unusable("not a resource in JSON; copy the file again")
    return found, dump


def _int(text: str) -> float:
    return int(text) if len(text) <= _MOST_DIGITS else math.inf


def _dump(node: Any, sort: bool = False) -> bytes:
    try:
        return json.dumps(node, sort_keys=sort).encode()
    except RecursionError:
        raise Unusable(_TOO_DEEP) from None


def _head(entry: _Entry) -> _Head:
    """Returns what identifies an entry's resource; its type is a text. Raises Unusable."""
    if entry.method == "PATCH":
        raise Unusable("a patch of a resource, expected the whole resource")
    content = bytes(entry.resource)
    if content == b"null":
        raise Unusable("without a resource; correct or remove it")
    try:
        head = _HEAD.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        body, _ = _object(content)
        head = _Head(body.get("resourceType"), body.get("id"))
    if not _is_type(head.resourceType):
        raise Unusable("resourceType is missing, expected a resource; correct it")
    return head


def _delete(entry: _Entry, bundle: _Bundle, account: Account, bases: Bases) -> None:
    url = entry.request.get("url")
    reference = bases.relative(url) if isinstance(url, str) else ""
    kind, _, key = reference.partition("/")
    if not kind or not is_id(key):
        raise Unusable("a deletion that does not name one resource, expected Type/id")
    time = _time_of(entry, bundle)
    account.deleted[reference] = max(time, account.deleted.get(reference, time))


def _time_of(entry: _Entry, bundle: _Bundle) -> int:
    """Returns when an entry's resource was deleted, as far as it is stated."""
    own = entry.response.get("lastModified") if isinstance(entry.response, dict) else None
    said = (updated_at(own), max(updated_at(last_updated({"meta": bundle.meta})), updated_at(bundle.timestamp)))
    return next((time for time in said if time > UNKNOWN), ALWAYS)


class _First(msgspec.Struct, gc=False):
    """The first entry in a Bundle that has a name."""

    number: int
    url: Any
    reference: str
    digest: int
    has_own_id: bool


class _Names:
    """The names of a Bundle's entries; `targets` maps each address to the `Type/id` that it stands for."""

    def __init__(self) -> None:
        self.targets: dict[str, str] = {}
        self._first: dict[tuple[str, str], _First] = {}

    def note(self, number: int, entry: _Entry, head: _Head) -> _Named:
        """Returns the entry with its name. Raises Unusable if another entry already has the name."""
        new_id = None if head.id is not None else _new_id(head.resourceType, entry)
        key = head.id if new_id is None else new_id
        reference = f"{head.resourceType}/{key}"
        url = entry.url if isinstance(entry.url, str) else ""
        found = _First(number, url, reference, hash(bytes(entry.resource)), new_id is None)
        for name in (("resource", reference), ("address", url)):
            first = self._first.setdefault(name, found) if name[1] else found
            if first.digest != found.digest and not _are_versions(first, found):
                raise Unusable(
                    f"has the same name as entry {first.number} but is a different resource; give each its own id"
                )
        if url and is_id(key):
            self.targets[url] = reference
        return _Named(number, entry, head.resourceType, new_id)


def _are_versions(first: _First, found: _First) -> bool:
    """Returns whether two entries of one name are versions of one resource: their id and their address agree."""
    return (first.url, first.reference) == (found.url, found.reference) and found.has_own_id


def _new_id(kind: str, entry: _Entry) -> str:
    """Returns an id for a resource without one: that of its PUT, the end of its address, or one from its contents.

    The same Bundle always gives the same ids.
    """
    address = entry.url if isinstance(entry.url, str) else ""
    asked = entry.request.get("url") if entry.method == "PUT" else ""
    for text in (asked, address):
        before, _, last = text.rpartition("/") if isinstance(text, str) else ("", "", "")
        if before.rpartition("/")[2] == kind and is_id(last):
            return last
    for scheme in _URNS:
        if address.startswith(scheme) and is_id(address.removeprefix(scheme)):
            return address.removeprefix(scheme)
    body, _ = _object(bytes(entry.resource))
    return str(uuid5(_OURS, f"{kind} {_dump(address or body, sort=True).decode()}"))


def _resolver(targets: Mapping[str, str], account: Account) -> Callable[[str], str]:
    def resolve(reference: str) -> str:
        found = targets.get(reference) or targets.get(reference.partition("/_history/")[0])
        if found is None and (reference.startswith("urn:") or "?" in reference):
            account.unresolved += 1
        return found or reference

    return resolve
