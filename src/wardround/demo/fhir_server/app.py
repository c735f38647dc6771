"""The ASGI application: translates between HTTP and the interactions; its control routes are outside /fhir."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qsl

import anyio.to_thread
import orjson
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from wardround.demo.fhir_server.bundles import answer_bundle
from wardround.demo.fhir_server.capability import capability_statement
from wardround.demo.fhir_server.dates import instant
from wardround.demo.fhir_server.exports import Exports
from wardround.demo.fhir_server.faults import FaultPlan, Faults
from wardround.demo.fhir_server.interactions import Answer, Call, perform
from wardround.demo.fhir_server.misbehaving import Misbehaving
from wardround.demo.fhir_server.problems import Problem, invalid, operation_outcome, too_deep
from wardround.demo.fhir_server.query import DEFAULT_CAP, Pair
from wardround.demo.fhir_server.sign_in import Clients, SignedIn
from wardround.demo.fhir_server.store import Store

_FHIR_JSON = "application/fhir+json"
_LARGEST_BODY = 64 * 2**20
_FORM = "application/x-www-form-urlencoded"
_ASKED = ["Authorization", "Content-Type", "Prefer", "If-Match", "If-None-Match", "If-None-Exist"]
_SAID = ["ETag", "Location", "Content-Location", "Last-Modified", "Retry-After", "X-Progress"]
_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]

Transports = dict[tuple[str, int], asyncio.Transport]


def create_app(
    store: Store,
    faults: Faults | None = None,
    cap: int = DEFAULT_CAP,
    transports: Transports | None = None,
    clients: Clients | None = None,
    origins: Sequence[str] = (),
) -> Misbehaving:
    """Returns the server as an ASGI app, on a store that the caller closes. `cap` is the largest page.

    With `clients`, only they are served; without, everybody is. Web pages of the `origins` may send requests, but no
    cookies.
    """
    faults, counts, exports = faults or Faults(), Counter[str](), Exports(store)
    started = datetime.now(UTC)
    # Few threads: SQLite gains nothing from more, and each has a connection with a cache.
    threads = anyio.CapacityLimiter(8)

    async def fhir(request: Request) -> Response:
        try:
            call = await _call_of(request, cap)
            if call.path == ("metadata",) and call.method == "GET":
                return _response(Answer(200, capability_statement(call.base, started)), call)
            if exports.concerns(call.path):
                return await anyio.to_thread.run_sync(exports.answer, call, request.headers, limiter=threads)
            return _response(await anyio.to_thread.run_sync(_answer, store, call, limiter=threads), call)
        except Problem as problem:
            return Response(problem.outcome(), problem.status, media_type=_FHIR_JSON)
        except RecursionError:
            return Response(too_deep().outcome(), 400, media_type=_FHIR_JSON)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it: the client ended while it was sending

    async def set_faults(request: Request) -> Response:
        try:
            faults.follow(FaultPlan.model_validate_json(await request.body() or b"{}"))
        except ValidationError as error:
            return JSONResponse(error.errors(include_url=False, include_context=False, include_input=False), 400)
        return _plan(faults)

    async def show_faults(_request: Request) -> Response:
        return _plan(faults)

    async def show_requests(request: Request) -> Response:
        shown = {"total": counts.total(), "requests": dict(counts)}
        if request.method == "DELETE":
            counts.clear()
        return JSONResponse(shown)

    routes = [
        Route("/fhir", fhir, methods=_METHODS),
        Route("/fhir/{path:path}", fhir, methods=_METHODS),
        Route("/_faults", show_faults, methods=["GET"]),
        Route("/_faults", set_faults, methods=["POST"]),
        Route("/_requests", show_requests, methods=["GET", "DELETE"]),
    ]
    app = Starlette(routes=routes, exception_handlers={Exception: _broken, 404: _nowhere, 405: _nowhere})
    app.router.redirect_slashes = False
    door: ASGIApp = SignedIn(app, clients) if clients else app
    # Outside of the sign-in: a browser sends its preflight request before it shows a token.
    door = (
        CORSMiddleware(door, origins, allow_methods=_METHODS, allow_headers=_ASKED, expose_headers=_SAID)
        if origins
        else door
    )
    return Misbehaving(door, faults, counts, {} if transports is None else transports)


def _plan(faults: Faults) -> Response:
    return JSONResponse({**faults.plan.model_dump(mode="json"), "met": faults.met})


async def _broken(_request: Request, _error: Exception) -> Response:
    body = operation_outcome("fatal", "exception", "the server failed; its log has the reason")
    return Response(body, 500, media_type=_FHIR_JSON)


async def _nowhere(_request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    body = operation_outcome("error", "not-supported", "nothing here, expected a path under /fhir; see /fhir/metadata")
    return Response(body, status, media_type=_FHIR_JSON)


async def _call_of(request: Request, cap: int) -> Call:
    headers = request.headers
    accept = headers.get("accept", "*/*")
    if "json" not in accept and "*" not in accept:
        raise Problem(406, "not-supported", f"Accept: expected {_FHIR_JSON}, the one format here")
    try:
        url = request.url
    except UnicodeDecodeError:
        raise invalid("the URL is not UTF-8, expected other characters as %XX of UTF-8", "structure") from None
    path = tuple(segment for segment in url.path.split("/") if segment)[1:]
    pairs: list[Pair] = parse_qsl(url.query, keep_blank_values=True)
    prefer = headers.get("prefer", "")
    call = Call(
        # The answer to a HEAD is cut to its headers on the way out.
        method="GET" if request.method == "HEAD" else request.method,
        path=path,
        base=f"{url.scheme}://{url.netloc}/fhir",
        pairs=pairs,
        if_match=headers.get("if-match", ""),
        if_none_match=headers.get("if-none-match", ""),
        if_none_exist=headers.get("if-none-exist", ""),
        strict="handling=strict" in prefer,
        returns="minimal" if "return=minimal" in prefer else "representation",
        cap=cap,
    )
    if call.method == "GET":
        return call
    return await _with_body(request, call)


async def _with_body(request: Request, call: Call) -> Call:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > _LARGEST_BODY:
            raise Problem(413, "too-costly", f"the body is larger than {_LARGEST_BODY} bytes; send smaller Bundles")
        chunks.append(chunk)
    raw = b"".join(chunks)
    content_type = request.headers.get("content-type", _FHIR_JSON).partition(";")[0].strip().lower()
    if call.path[-1:] == ("_search",):
        if content_type != _FORM and raw:
            raise Problem(415, "not-supported", f"_search: expected a body of type {_FORM}")
        try:
            form: list[Pair] = parse_qsl(raw.decode(), keep_blank_values=True)
        except UnicodeDecodeError:
            raise invalid("_search: the form is not UTF-8", "structure") from None
        return replace(call, pairs=[*call.pairs, *form])
    if request.method == "DELETE":
        return call
    if "json" not in content_type:
        raise Problem(415, "not-supported", f"Content-Type: expected {_FHIR_JSON}")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise invalid("the body is not JSON", "structure") from None
    # The answers to a Bundle's entries have no copies of what was written, unless the client asks for them.
    minimal = not call.path and "return=representation" not in request.headers.get("prefer", "")
    return replace(call, body=body, returns="minimal" if minimal else call.returns)


def _answer(store: Store, call: Call) -> Answer:
    if not call.path and call.method == "POST":
        return answer_bundle(store, call)
    if call.writes:
        with store.writing() as writing:
            return perform(writing, call)
    with store.reading() as reading:
        return perform(reading, call)


def _response(answer: Answer, call: Call) -> Response:
    headers = {}
    if answer.version:
        headers["ETag"] = answer.etag
        moment = datetime.fromisoformat(instant(answer.updated))
        headers["Last-Modified"] = format_datetime(moment, usegmt=True)
    if answer.location and call.writes:
        headers["Location"] = f"{call.base}/{answer.location}"
    body = b"" if call.writes and call.path and call.returns == "minimal" else answer.body
    if not body:
        return Response(status_code=answer.status, headers=headers)
    return Response(body, answer.status, headers, media_type=_FHIR_JSON)
