"""A Bundle in, its resources out: each as bytes, under an id, with references that hold without the Bundle.

Of a transaction, a batch, a collection, a searchset, a history; and of a CDS Hooks prefetch, which names several.
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
# Elements of the types url, uri, canonical, oid and uuid, which a transaction rewrites as it does References.
_ADDRESSES: Final = frozenset({"url", "uri", "valueUrl", "valueUri", "valueCanonical", "valueOid", "valueUuid"})
_URNS: Final = ("urn:uuid:", "urn:oid:")
_OURS: Final = UUID("5d2c9c39-6f6c-4f0b-9a55-0c3c86a1b7d4")  # the namespace of the ids that are assigned here
_TOO_DEEP: Final = "nested too deeply, expected at most some hundred levels"
_MOST_DIGITS: Final = 300  # as in json_object


class Unusable(Exception):
    """What stands at a place is not what was to stand there; says why, and never a value."""


@dataclass
class Account:
    """What a reading met beside resources.

    Attributes:
        deleted: `Type/id` of what was said to be deleted, with the last time of each (microseconds since 1970).
        outcomes: OperationOutcomes, which tell of the export or the search and are no data.
        unresolved: references of a Bundle to none of its entries, by urn or by criteria; they are left as they are.
        passed_over: files that hold no FHIR resources, by their names.
    """

    deleted: dict[str, int] = field(default_factory=dict)
    outcomes: int = 0
    unresolved: int = 0
    passed_over: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """What there was of each, for people."""
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
    """What tells an entry's resource from others."""

    resourceType: Any = None  # noqa: N815
    id: Any = None


_HEAD: Final = msgspec.json.Decoder(_Head)


class _Named(msgspec.Struct, gc=False):
    """An entry under the id that its resource has or, in `new_id`, gets."""

    number: int
    entry: _Entry
    kind: str
    new_id: str | None = None


def taken_apart(
    content: bytes, account: Account, bases: Bases, refuse: Callable[[int, str], None]
) -> Iterator[tuple[int, str, bytes]]:
    """Number, type and bytes of each entry's resource; deletions and OperationOutcomes go into the account.

    `refuse` hears of entries that cannot be used. Raises Unusable for what is no Bundle. In memory are the content, and
    of each entry what tells it from the others.
    """
    bundle = _bundle(content)
    entries = list(enumerate(bundle.entry, start=1))
    if bundle.type == "history":
        entries.reverse()  # the newest come first there, and what comes later counts
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
    """The resources and Bundles that a CDS Hooks prefetch names. Raises Unusable for any other JSON."""
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
    """The resourceType of a JSON object, empty if it says none that could be one. Raises Unusable for no object."""
    try:
        kind = _KIND.decode(content).resourceType
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        kind = _object(content)[0].get("resourceType")
    return kind if _is_type(kind) else ""


def _is_type(kind: Any) -> TypeGuard[str]:
    return isinstance(kind, str) and kind.isascii() and kind.isalpha()


def rewritten(node: Any, resolve: Callable[[str], str], targets: Mapping[str, str]) -> Any:
    """The same JSON with each Reference passed through `resolve`, and each other address that is one of the targets."""
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
        raise Unusable("its entries are no list, expected a Bundle with entries; correct it")
    listed = [entry if isinstance(entry, dict) else {} for entry in entries]
    made = [
        _Entry(one.get("fullUrl"), msgspec.Raw(_dump(one.get("resource"))), one.get("request"), one.get("response"))
        for one in listed
    ]
    return _Bundle(body.get("type"), body.get("meta"), body.get("timestamp"), made)


def _object(content: bytes) -> tuple[Resource, Callable[[Any], bytes]]:
    """A JSON object and what writes it again: with everything in it that JSON does not allow. Raises Unusable."""
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
    """Type and id of an entry's resource, its type a text. Raises Unusable."""
    if entry.method == "PATCH":
        raise Unusable("a change of a resource, expected the whole resource")
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
    """When an entry's resource was deleted, as far as it is said."""
    own = entry.response.get("lastModified") if isinstance(entry.response, dict) else None
    said = (updated_at(own), max(updated_at(last_updated({"meta": bundle.meta})), updated_at(bundle.timestamp)))
    return next((time for time in said if time > UNKNOWN), ALWAYS)


class _First(msgspec.Struct, gc=False):
    """Where in a Bundle a name stood first, and what bore it."""

    number: int
    url: Any
    reference: str
    digest: int
    has_own_id: bool


class _Names:
    """What the entries of a Bundle are called: `targets` says of each address which `Type/id` it stands for."""

    def __init__(self) -> None:
        self.targets: dict[str, str] = {}
        self._first: dict[tuple[str, str], _First] = {}

    def note(self, number: int, entry: _Entry, head: _Head) -> _Named:
        """The entry under its name. Raises Unusable where two that are not the same have one name."""
        new_id = None if head.id is not None else _new_id(head.resourceType, entry)
        key = head.id if new_id is None else new_id
        reference = f"{head.resourceType}/{key}"
        url = entry.url if isinstance(entry.url, str) else ""
        found = _First(number, url, reference, hash(bytes(entry.resource)), new_id is None)
        for name in (("resource", reference), ("address", url)):
            first = self._first.setdefault(name, found) if name[1] else found
            if first.digest != found.digest and not _are_versions(first, found):
                raise Unusable(
                    f"has the name of entry {first.number} and is another resource; give each an id of its own"
                )
        if url and is_id(key):
            self.targets[url] = reference
        return _Named(number, entry, head.resourceType, new_id)


def _are_versions(first: _First, found: _First) -> bool:
    """Whether two entries of one name are versions of one resource: they agree on its id and on its address."""
    return (first.url, first.reference) == (found.url, found.reference) and found.has_own_id


def _new_id(kind: str, entry: _Entry) -> str:
    """The id of a resource that has none: what it is put under, what its address ends in, or one made of its contents.

    The same Bundle gives the same ids, whenever and wherever it is read.
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
