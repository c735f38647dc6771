"""Answers batch and transaction Bundles: entries of a batch succeed or fail alone, those of a transaction together."""

from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import orjson

from wardround.demo.fhir_server.dates import instant
from wardround.demo.fhir_server.interactions import Answer, Call, perform
from wardround.demo.fhir_server.problems import Problem, invalid, too_deep
from wardround.demo.fhir_server.resource_types import RESOURCE_TYPES
from wardround.demo.fhir_server.search import matching
from wardround.demo.fhir_server.session import Session, WritingSession
from wardround.demo.fhir_server.store import Store
from wardround.sources.fhir_folder.bundles import rewritten

Answered = tuple[Call | Problem, Answer]

_METHODS = ("DELETE", "POST", "PUT", "PATCH", "GET", "HEAD")


def answer_bundle(store: Store, call: Call) -> Answer:
    """Answers a Bundle that was posted to the base; raises a Problem if it has no valid list of entries."""
    bundle = call.body
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise invalid("Bundle: expected a Bundle of type batch or transaction at the base", "structure")
    if bundle.get("type") not in ("batch", "transaction"):
        raise invalid("Bundle.type: expected batch or transaction", "value")
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        raise invalid("Bundle.entry: expected a list", "structure")
    answers = (_batch if bundle["type"] == "batch" else _transaction)(store, entries, call)
    made = [_response_entry(asked, answer, call.returns == "representation") for asked, answer in answers]
    response = {"resourceType": "Bundle", "type": f"{bundle['type']}-response", "entry": made}
    return Answer(200, orjson.dumps(response))


def _calls_of(entries: list[Any], outer: Call) -> Iterator[Call | Problem]:
    """Yields the request of each entry, or what is wrong with it."""
    for entry in entries:
        try:
            yield _call_of(entry, outer)
        except Problem as problem:
            yield problem


def _call_of(entry: Any, outer: Call) -> Call:
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(request, dict) or not isinstance(url := request.get("url"), str):
        raise invalid("Bundle.entry.request: missing or without url", "required")
    if (method := request.get("method")) not in _METHODS:
        raise invalid(f"Bundle.entry.request.method: expected one of {', '.join(_METHODS)}", "value")
    try:
        parts = urlsplit(url.removeprefix(outer.base))
    except ValueError:
        raise invalid("Bundle.entry.request.url: not a URL", "value") from None
    if parts.scheme or parts.netloc:
        raise invalid("Bundle.entry.request.url: not under this server's base", "value")
    return replace(
        outer,
        method=method,
        path=tuple(segment for segment in parts.path.split("/") if segment),
        pairs=parse_qsl(parts.query, keep_blank_values=True),
        body=entry.get("resource"),
        if_match=str(request.get("ifMatch", "")),
        if_none_match=str(request.get("ifNoneMatch", "")),
        if_none_exist=str(request.get("ifNoneExist", "")),
    )


def _batch(store: Store, entries: list[Any], outer: Call) -> list[Answered]:
    """Performs all entries in one SQLite transaction, for speed; only an entry that fails is undone."""
    calls = list(_calls_of(entries, outer))
    if any(isinstance(call, Call) and call.writes for call in calls):
        with store.writing() as session:
            return [(call, _attempt(session, call)) for call in calls]
    with store.reading() as reading:
        return [(call, _attempt(reading, call)) for call in calls]


def _attempt(session: Session, call: Call | Problem) -> Answer:
    try:
        if isinstance(call, Problem):
            raise call
        if not isinstance(session, WritingSession) or not call.writes:
            return perform(session, call)
        with session.attempt():
            return perform(session, call)
    except Problem as problem:
        return Answer(problem.status, problem.outcome())
    except RecursionError:
        return Answer(400, too_deep().outcome())


def _transaction(store: Store, entries: list[Any], outer: Call) -> list[Answered]:
    """Performs the entries in the order of R4 (DELETE, POST, PUT, GET); the answers have the order of the entries."""
    calls: list[Call] = []
    for number, call in enumerate(_calls_of(entries, outer)):
        if isinstance(call, Problem):
            raise _at_entry(number, call)
        calls.append(call)
    with store.writing() as session:
        return _all_or_nothing(session, entries, calls)


def _all_or_nothing(session: WritingSession, entries: list[Any], calls: list[Call]) -> list[Answered]:
    identified = [_guarded(number, _identified, session, call) for number, call in enumerate(calls)]
    _refuse_overlap(calls, identified)
    local_of = {
        entry["fullUrl"]: "/".join(call.path[:2])
        for entry, call in zip(entries, identified, strict=True)
        if isinstance(entry.get("fullUrl"), str) and len(call.path) > 1
    }
    answers: dict[int, Answer] = {}
    for number in sorted(range(len(calls)), key=lambda at: _METHODS.index(calls[at].method)):
        answers[number] = _guarded(number, _perform_linked, session, identified[number], local_of)
    return [(call, answers[number]) for number, call in enumerate(calls)]


def _guarded(number: int, step: Any, *arguments: Any) -> Any:
    try:
        return step(*arguments)
    except Problem as problem:
        raise _at_entry(number, problem) from None


def _at_entry(number: int, problem: Problem) -> Problem:
    return Problem(problem.status, problem.code, f"Bundle.entry[{number}]: {problem.diagnostics}; nothing was written")


def _identified(session: WritingSession, call: Call) -> Call:
    """Returns the call with the id that its resource has or will have, so that other entries can refer to it.

    A create or a conditional update becomes an update of that id; a create that finds its match becomes a read.
    """
    type_name = call.path[0] if call.path else ""
    if len(call.path) != 1 or type_name not in RESOURCE_TYPES or call.method not in ("POST", "PUT"):
        return call
    criteria = parse_qsl(call.if_none_exist.rpartition("?")[2]) if call.method == "POST" else list(call.pairs)
    found = matching(session, RESOURCE_TYPES[type_name], criteria, call.base) if criteria else []
    if len(found) > 1 or (call.method == "PUT" and not criteria):
        raise Problem(412, "multiple-matches", f"{type_name}: expected criteria that at most one resource meets")
    if found and call.method == "POST":
        return replace(call, method="GET", path=(type_name, found[0]), if_none_exist="", pairs=())
    own_id = call.body.get("id") if isinstance(call.body, dict) and call.method == "PUT" else None
    resource_id = found[0] if found else str(own_id or uuid4())
    if own_id is not None and own_id != resource_id:
        raise invalid(f"{type_name}.id: differs from the id of the resource that matches")
    body = {**call.body, "id": resource_id} if isinstance(call.body, dict) else call.body
    return replace(call, method="PUT", path=(type_name, resource_id), body=body, if_none_exist="", pairs=())


def _refuse_overlap(calls: list[Call], identified: list[Call]) -> None:
    seen: set[Any] = set()
    for number, (call, named) in enumerate(zip(calls, identified, strict=True)):
        if not call.writes:
            continue
        keys: list[Any] = [named.path]
        if call.if_none_exist or (call.method == "PUT" and call.pairs):
            keys.append((call.path, call.if_none_exist, *sorted(call.pairs)))
        if seen.intersection(keys):
            raise invalid(f"Bundle.entry[{number}]: the same resource as another entry; nothing was written")
        seen.update(keys)


def _perform_linked(session: WritingSession, call: Call, local_of: dict[str, str]) -> Answer:
    def resolve(reference: str) -> str:
        if "?" in reference and not reference.startswith(("http:", "https:", "urn:")):
            return _conditional_reference(session, reference, call.base)
        return local_of.get(reference, reference)

    body = rewritten(call.body, resolve, local_of) if call.writes and call.body is not None else call.body
    return perform(session, replace(call, body=body))


def _conditional_reference(session: Session, reference: str, base: str) -> str:
    type_name, _, query = reference.partition("?")
    resource_type = RESOURCE_TYPES.get(type_name)
    found = matching(session, resource_type, parse_qsl(query), base) if resource_type else []
    if len(found) != 1:
        raise Problem(412, "multiple-matches" if found else "not-found", "a conditional reference: expected one match")
    return f"{type_name}/{found[0]}"


def _response_entry(asked: Call | Problem, answer: Answer, whole: bool) -> dict[str, Any]:
    """Returns the response entry, with what was read; with what was written if `whole` (return=representation)."""
    response: dict[str, Any] = {"status": f"{answer.status} {HTTPStatus(answer.status).phrase}"}
    if answer.location:
        response["location"] = answer.location
    if answer.version:
        response |= {"etag": answer.etag, "lastModified": instant(answer.updated)}
    if answer.status >= 400:
        response["outcome"] = orjson.Fragment(answer.body)
    elif answer.body and (whole or (isinstance(asked, Call) and not asked.writes)):
        return {"resource": orjson.Fragment(answer.body), "response": response}
    return {"response": response}
