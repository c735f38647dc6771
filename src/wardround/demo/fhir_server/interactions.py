"""Performs REST interactions, in the same way for single requests and for entries of a Bundle."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl
from uuid import uuid4

import orjson

from wardround.demo.fhir_server.dates import instant
from wardround.demo.fhir_server.problems import Problem, invalid, not_found, several_match
from wardround.demo.fhir_server.query import DEFAULT_CAP, Pair
from wardround.demo.fhir_server.resource_types import RESOURCE_TYPES, ResourceType
from wardround.demo.fhir_server.search import matching, search
from wardround.demo.fhir_server.session import Row, Session, WritingSession, Written
from wardround.demo.fhir_server.validation import validated
from wardround.fhir.references import is_id


@dataclass(frozen=True)
class Call:
    """A request, or an entry of a Bundle, independent of HTTP.

    Attributes:
        path: the segments under the base.
        base: the server's own URL, as the caller wrote it.
        strict: unknown search parameters are an error (Prefer: handling=strict).
    """

    method: str
    path: tuple[str, ...]
    base: str
    pairs: Sequence[Pair] = ()
    body: Any = None
    if_match: str = ""
    if_none_match: str = ""
    if_none_exist: str = ""
    strict: bool = False
    returns: Literal["minimal", "representation", "OperationOutcome"] = "representation"
    cap: int = DEFAULT_CAP

    @property
    def writes(self) -> bool:
        return self.method not in ("GET", "HEAD") and self.path[-1:] not in (("_search",), ("$validate",))


@dataclass(frozen=True)
class Answer:
    """A status, a serialised body, and the version that it is about: its last update and its path under the base."""

    status: int
    body: bytes = b""
    version: int | None = None
    updated: int = 0
    location: str = ""

    @property
    def etag(self) -> str:
        return f'W/"{self.version}"' if self.version else ""


def perform(session: Session, call: Call) -> Answer:
    """Performs a call; a call that writes needs a WritingSession. Raises a Problem."""
    resource_type = _type_of(call)
    rest = call.path[1:]
    match call.method, rest:
        case ("GET", ()) | ("POST", ("_search",)):
            return Answer(200, search(session, resource_type, call.pairs, call.base, call.strict, call.cap))
        case "POST", ("$validate",):
            return Answer(200, validated(call.body, resource_type))
        case "GET", (resource_id,):
            return _read(session, resource_type, resource_id, call)
        case "GET", (resource_id, "_history"):
            return _history(session, resource_type, resource_id, call)
        case "GET", (resource_id, "_history", version):
            return _vread(session, resource_type, resource_id, version)
    if isinstance(session, WritingSession):
        match call.method, rest:
            case "POST", ():
                return _create(session, resource_type, call)
            case "PUT", (resource_id,):
                return _update(session, resource_type, resource_id, call)
            case "PUT", ():
                return _conditional_update(session, resource_type, call)
            case "DELETE", (resource_id,):
                return _delete(session, resource_type, resource_id, call)
            case "DELETE", ():
                return _conditional_delete(session, resource_type, call)
    raise Problem(405, "not-supported", f"{call.method} is not supported here; see /metadata")


def _type_of(call: Call) -> ResourceType:
    name = call.path[0] if call.path else ""
    if name not in RESOURCE_TYPES:
        raise not_found(f"unknown resource type {name[:40]!r}, expected one of {', '.join(RESOURCE_TYPES)}")
    return RESOURCE_TYPES[name]


def _current(session: Session, resource_type: ResourceType, resource_id: str) -> Row:
    row = session.row(resource_type.name, resource_id)
    if row is None:
        raise not_found(f"{resource_type.name}: no resource with this id")
    return row


def _read(session: Session, resource_type: ResourceType, resource_id: str, call: Call) -> Answer:
    row = _current(session, resource_type, resource_id)
    answer = _answer_with(row, 200, resource_type, resource_id)
    return Answer(304, b"", row.version, row.updated) if call.if_none_match in (answer.etag, "*") else answer


def _answer_with(row: Row, status: int, resource_type: ResourceType, resource_id: str) -> Answer:
    if row.body is None:
        raise Problem(410, "deleted", f"{resource_type.name}: the resource was deleted")
    location = f"{resource_type.name}/{resource_id}/_history/{row.version}"
    return Answer(status, row.body, row.version, row.updated, location)


def _versions(session: Session, resource_type: ResourceType, resource_id: str) -> list[Row]:
    row = _current(session, resource_type, resource_id)
    return [row, *session.past(row.pk)]


def _vread(session: Session, resource_type: ResourceType, resource_id: str, version: str) -> Answer:
    for row in _versions(session, resource_type, resource_id):
        if str(row.version) == version:
            return _answer_with(row, 200, resource_type, resource_id)
    raise not_found(f"{resource_type.name}: no such version of this resource")


def _history(session: Session, resource_type: ResourceType, resource_id: str, call: Call) -> Answer:
    versions = _versions(session, resource_type, resource_id)
    local = f"{resource_type.name}/{resource_id}"
    entries = []
    for row in versions:
        entry: dict[str, Any] = {"fullUrl": f"{call.base}/{local}"}
        if row.body is not None:
            entry["resource"] = orjson.Fragment(row.body)
        method, status = ("DELETE", "204 No Content") if row.body is None else ("PUT", "200 OK")
        if row.version == 1:
            status = "201 Created"
        entry["request"] = {"method": method, "url": local}
        entry["response"] = {"status": status, "etag": f'W/"{row.version}"', "lastModified": instant(row.updated)}
        entries.append(entry)
    bundle = {"resourceType": "Bundle", "type": "history", "total": len(entries), "entry": entries}
    return Answer(200, orjson.dumps(bundle))


def _written(session: WritingSession, resource_type: ResourceType, resource_id: str, call: Call) -> Answer:
    if isinstance(call.body, dict) and call.body.get("id", resource_id) != resource_id:
        raise invalid(f"{resource_type.name}.id: differs from the URL's, expected the same")
    written = session.put(resource_type.name, resource_id, call.body, call.base)
    return _answer_to_write(written, resource_type)


def _answer_to_write(written: Written, resource_type: ResourceType) -> Answer:
    return _answer_with(written.row, 201 if written.change == "created" else 200, resource_type, written.id)


def _create(session: WritingSession, resource_type: ResourceType, call: Call) -> Answer:
    """Creates a resource; with If-None-Exist only if nothing matches, else returns the match unchanged."""
    if call.if_none_exist:
        query = call.if_none_exist.rpartition("?")[2]
        found = _one_match(session, resource_type, parse_qsl(query), call.base)
        if found is not None:
            return _answer_with(_current(session, resource_type, found), 200, resource_type, found)
    # The server chooses the id of a new resource; one in the body is ignored.
    body = {**call.body, "id": str(uuid4())} if isinstance(call.body, dict) else call.body
    resource_id = body["id"] if isinstance(body, dict) else ""
    return _answer_to_write(session.put(resource_type.name, resource_id, body, call.base), resource_type)


def _update(session: WritingSession, resource_type: ResourceType, resource_id: str, call: Call) -> Answer:
    if not is_id(resource_id):
        raise invalid(
            f"{resource_type.name}: the URL's id is not one, expected 1 to 64 letters, digits, - or .", "value"
        )
    if isinstance(call.body, dict) and "id" not in call.body:
        raise invalid(f"{resource_type.name}.id: missing, expected the URL's", "required")
    _check_version(session.row(resource_type.name, resource_id), resource_type, call)
    return _written(session, resource_type, resource_id, call)


def _check_version(row: Row | None, resource_type: ResourceType, call: Call) -> None:
    if call.if_match and (row is None or call.if_match.removeprefix("W/").strip('"') != str(row.version)):
        raise Problem(
            412, "conflict", f"{resource_type.name}: If-Match differs from the current version; read it again"
        )


def _one_match(session: Session, resource_type: ResourceType, pairs: Sequence[Pair], base: str) -> str | None:
    found = matching(session, resource_type, pairs, base)
    if len(found) > 1:
        raise several_match(resource_type.name)
    return found[0] if found else None


def _conditional_update(session: WritingSession, resource_type: ResourceType, call: Call) -> Answer:
    """Performs PUT Type?criteria: creates if nothing matches, updates one match, answers 412 for several."""
    found = _one_match(session, resource_type, call.pairs, call.base)
    own_id = call.body.get("id") if isinstance(call.body, dict) else None
    if found is not None:
        _check_version(session.row(resource_type.name, found), resource_type, call)
        return _written(session, resource_type, found, call)
    if own_id is not None and session.row(resource_type.name, str(own_id)) is not None:
        raise Problem(
            409, "conflict", f"{resource_type.name}: nothing matches, yet a resource with the body's id exists"
        )
    return _written(session, resource_type, str(own_id or uuid4()), call)


def _delete(session: WritingSession, resource_type: ResourceType, resource_id: str, call: Call) -> Answer:
    row = session.row(resource_type.name, resource_id)
    _check_version(row, resource_type, call)
    if row is None or row.body is None:
        return Answer(204)
    gone = session.delete(resource_type.name, row)
    return Answer(204, b"", gone.version, gone.updated)


def _conditional_delete(session: WritingSession, resource_type: ResourceType, call: Call) -> Answer:
    found = _one_match(session, resource_type, call.pairs, call.base)
    return Answer(204) if found is None else _delete(session, resource_type, found, call)
