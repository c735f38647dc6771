"""The bedside door as an ASGI application: token, limits, the door in a thread, audit and metrics, the answer."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wardround.adapters.outage import Outage
from wardround.adapters.prometheus import CONTENT_TYPE
from wardround.cds.discovery import Service
from wardround.cds.exchange import Answer, Call, Result
from wardround.cds.exchange import Request as Asking
from wardround.cds.http.answered import LATER, Accounted, Waiting, answer_to, broken
from wardround.cds.http.audit import Asked, Audit
from wardround.cds.http.body import body_of
from wardround.cds.http.metrics import Metrics
from wardround.cds.http.openapi import openapi
from wardround.cds.problems import Problem
from wardround.cds.tokens.verification import Refused, Verifier
from wardround.errors import DatabaseError, StorageError, WardroundError, named

ANSWER_SECONDS: Final = 8.0
"""How long an answer may take. EHRs wait for some seconds at most, and a worker that stops waits for this long."""
MOST: Final = 64
"""Requests that a worker has in hand at once; more are turned away."""
_THREADS: Final = 8
"""Calls at once: those that wait for a FHIR server must not keep the others waiting."""
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_AGAIN: Final = {"Retry-After": "1"}

T = TypeVar("T")

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Means:
    """What the application answers with: the door's `answer`, its services, and what surrounds it.

    Without a `verifier`, no token is required; without `record`, no score is written to the record.
    """

    answer: Callable[[Asking], Answer]
    services: Mapping[str, Service]
    verifier: Verifier | None
    audit: Audit
    metrics: Metrics
    record: Callable[[Result], None] | None = None


def create_app(means: Means, origins: Sequence[str] = ()) -> ASGIApp:
    """Returns the application. Web pages of the `origins` may call it; by default none may."""
    serving = _Serving(means)
    routes = [
        Route("/cds-services", serving.discovery, methods=["GET"]),
        Route("/cds-services/{service}", serving.call, methods=["POST"]),
        Route("/cds-services/{service}/feedback", serving.feedback, methods=["POST"]),
        Route("/model-cards/{condition}/{version}", serving.model_card, methods=["GET"]),
        Route("/health", _health, methods=["GET"]),
        Route("/ready", serving.ready, methods=["GET"]),
        Route("/metrics", serving.metrics, methods=["GET"]),
        Route("/openapi.json", serving.document, methods=["GET"]),
    ]
    app = Starlette(routes=routes, exception_handlers=_HANDLERS)
    app.router.redirect_slashes = False
    door: ASGIApp = _Contained(app)
    if not origins:
        return door
    # A browser asks before it shows a token, so this is outside.
    return _Origins(
        door, origins, allow_methods=["GET", "POST"], allow_headers=["Authorization", "Content-Type"], max_age=600
    )


class _Serving:
    """The endpoints, with what they share."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._accounted = Accounted(means.answer, means.audit, means.metrics, means.record)
        self._threads = ThreadPoolExecutor(_THREADS, "cds")
        self._recording = ThreadPoolExecutor(1, "cds-audit")
        self._document = openapi(means.services)
        self._in_hand = 0
        # One for each use of the database: they wait for it for different times, and so one may fail alone.
        self._used_tokens = Outage("the database (used tokens)", "requests were refused")
        self._keeping = Outage("the database (cards and feedback)", "requests were not kept")
        self._readiness = Outage("what answers need", "checks of /ready failed")

    async def discovery(self, request: Request) -> Response:
        return await self._served(request, "discovery")

    async def call(self, request: Request) -> Response:
        return await self._served(request, "call")

    async def feedback(self, request: Request) -> Response:
        return await self._served(request, "feedback")

    async def model_card(self, request: Request) -> Response:
        """Answers what a card links to. A clinician's browser has no token, and a model card no patient."""
        asking = Asking("GET", request.scope["path"], datetime.now(UTC))
        answer = await self._in_turn(self._in_time(self._means.answer, asking))
        self._means.metrics.request("model_card", answer.status)
        return _response(answer)

    async def ready(self, _request: Request) -> Response:
        """Answers 200 if a call would be answered. A worker listens only after its warm-up call."""
        if self._means.verifier is not None:
            try:
                await self._in_thread(self._means.verifier.check)
            except Exception as error:  # noqa: BLE001 - whatever it is, calls would meet it as well
                self._readiness.goes_on(str(error) if isinstance(error, WardroundError) else named(error))
                return _response(Problem(503, "used tokens cannot be looked up; see the log", _AGAIN).answer())
        self._readiness.ended()
        return _response(Answer(200, b'{"status":"ready"}'))

    async def metrics(self, _request: Request) -> Response:
        text = await self._in_thread(self._means.metrics.text)
        return _response(Answer(200, text.encode(), headers={"Content-Type": CONTENT_TYPE}))

    async def document(self, _request: Request) -> Response:
        return _response(Answer(200, self._document))

    async def _served(self, request: Request, kind: str) -> Response:
        """Answers a request of the door, counts it and records it."""
        began, asked = time.perf_counter(), Asked(datetime.now(UTC), kind, "", 0)
        try:
            answer, asked = await self._in_turn(self._answered(request, asked))
        except Problem as problem:
            answer, asked = await self._recorded(problem.answer(), asked)
        self._say_fault(kind, answer)
        if answer.heard is not None:
            self._means.metrics.heard(answer.heard)
        self._count(asked, time.perf_counter() - began)
        return _response(answer)

    def _say_fault(self, kind: str, answer: Answer) -> None:
        """Logs what went wrong in Wardround; that the database cannot be used is logged once for all calls."""
        call = answer.call
        if answer.fault and (kind == "feedback" or (call is not None and not call.kept)):
            self._keeping.goes_on(answer.fault)
            return
        if answer.fault:
            _LOG.error("%s: %s", kind, answer.fault)
        if answer.heard is not None or (call is not None and call.card):
            self._keeping.ended()

    async def _answered(self, request: Request, asked: Asked) -> tuple[Answer, Asked]:
        """Returns the answer, and the record of it, which is written."""
        try:
            asked = replace(asked, issuer=await self._issuer(request, asked.at))
            body = await body_of(request) if request.method == "POST" else b""
            return await self._of_door(request, body, asked)
        except Refused as refused:
            headers = {"WWW-Authenticate": "Bearer"} if refused.status == 401 else {}
            headers = LATER if refused.status == 503 else headers
            answer = Problem(refused.status, refused.said, headers).answer()
            asked = replace(asked, refused=refused.reason)
        except TimeoutError:
            answer = _too_late(asked)
        except Exception as error:  # noqa: BLE001 - a request must be answered, whatever it is
            answer = answer_to(error, asked.kind)
        return await self._recorded(answer, asked)

    async def _of_door(self, request: Request, body: bytes, asked: Asked) -> tuple[Answer, Asked]:
        """Returns the door's answer and the record of it, which is written; or, if it takes too long, our own."""
        waiting = Waiting()
        method = "POST" if request.method == "POST" else "GET"  # HEAD gets the headers of a GET
        asking = Asking(method, request.scope["path"], asked.at, body, asked.issuer, waiting.is_over)
        answering = self._in_thread(self._accounted.answered, asking, asked, waiting)
        try:
            async with _noticing(request, waiting):
                await asyncio.wait([answering], timeout=ANSWER_SECONDS)
        except asyncio.CancelledError:  # the worker stops
            waiting.end()
            waiting.give()
            answering.cancel()
            raise
        if answering.done() or not waiting.give():
            return await answering
        waiting.end()
        answering.cancel()
        return await self._recorded(_too_late(asked, self._given_up(request, asked)), asked)

    async def _issuer(self, request: Request, arrived: datetime) -> str:
        """Returns the issuer of a verified token; empty if none is required. Raises Refused, or Problem."""
        verifier = self._means.verifier
        if verifier is None:
            return ""
        asked = request.headers.get("authorization"), request.scope["path"], arrived
        try:
            issuer = await self._in_time(verifier.verify, *asked)
        except (DatabaseError, StorageError) as error:
            self._used_tokens.goes_on(str(error))
            raise Problem(503, "used tokens cannot be looked up; see the log", LATER) from None
        self._used_tokens.ended()
        return issuer

    def _given_up(self, request: Request, asked: Asked) -> Call | None:
        """Returns what is kept of a call whose answer takes too long: the door has not said about whom it is."""
        service = self._means.services.get(request.path_params.get("service", ""))
        if service is None or asked.kind != "call":
            return None
        return Call(
            at=asked.at,
            issuer=asked.issuer,
            service=service.id,
            hook=service.hook,
            as_of=asked.at,
            condition=service.condition.id,
            outcome="given_up",
        )

    async def _recorded(self, answer: Answer, asked: Asked) -> tuple[Answer, Asked]:
        """Records an answer that no thread of the door has given, in a thread that none of those can keep busy."""
        asked = replace(asked, status=answer.status, call=answer.call)
        await asyncio.get_running_loop().run_in_executor(self._recording, self._accounted.keep, asked)
        return answer, asked

    def _count(self, asked: Asked, seconds: float) -> None:
        metrics = self._means.metrics
        metrics.request(asked.kind, asked.status)
        if asked.refused:
            metrics.refused_token(asked.refused)
        if asked.call is not None:
            metrics.call(asked.call.service, asked.call.outcome, asked.call.band, seconds)
            if not asked.call.kept:
                metrics.unkept()
        _LOG.info("%s: answered %d in %.1f ms", asked.kind, asked.status, seconds * 1000)

    async def _in_turn(self, work: Coroutine[Any, Any, T]) -> T:
        """Returns what `work` returns. Raises Problem if the worker has too much in hand."""
        if self._in_hand >= MOST:
            work.close()
            raise Problem(503, "too many calls at once; try again in a second", _AGAIN)
        self._in_hand += 1
        try:
            return await work
        finally:
            self._in_hand -= 1

    async def _in_time(self, function: Callable[..., T], *arguments: object) -> T:
        """Does it in a thread. Raises TimeoutError if that takes too long; the thread goes on."""
        return await asyncio.wait_for(self._in_thread(function, *arguments), ANSWER_SECONDS)

    def _in_thread(self, function: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)


@asynccontextmanager
async def _noticing(request: Request, waiting: Waiting) -> AsyncIterator[None]:
    """Notices if the client hangs up while the block runs, as EHRs do that do not wait for long."""

    async def notice() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        waiting.end()

    noticing = asyncio.create_task(notice())
    try:
        yield
    finally:
        noticing.cancel()


class _Origins(CORSMiddleware):
    """Starlette's, which says no to other web pages in plain text."""

    def preflight_response(self, request_headers: Headers) -> Response:
        answered = super().preflight_response(request_headers)
        if answered.status_code < 400:
            return answered
        return _response(Problem(400, "this web page, method or header is not allowed; see --cors").answer())


class _Contained:
    """Answers 500 for what no endpoint has caught, and lets nothing of it reach the server's log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        answer = broken()
        try:
            await self._app(scope, receive, noted)
            return
        except asyncio.CancelledError:  # the worker stops, and has waited as long as it may
            answer = Problem(503, "the service is stopping; try again", _AGAIN).answer()
        except Exception as error:  # noqa: BLE001 - the server would log its message, which may quote a patient
            _LOG.error("request: %s", named(error))
        if not started:
            await _response(answer)(scope, receive, send)


async def _health(_request: Request) -> Response:
    """Answers 200 as long as the worker runs."""
    return _response(Answer(200, b'{"status":"up"}'))


async def _nowhere(_request: Request, _error: Exception) -> Response:
    return _response(Problem(404, "there is nothing at this path; GET /cds-services lists the services").answer())


async def _wrong_method(_request: Request, error: Exception) -> Response:
    allowed = getattr(error, "headers", None) or {}
    return _response(Problem(405, "this path does not take the method; see Allow", allowed).answer())


async def _refused(_request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return _response(problem.answer())


async def _failed(_request: Request, _error: Exception) -> Response:
    return _response(broken())


_HANDLERS: Final = {404: _nowhere, 405: _wrong_method, Problem: _refused, Exception: _failed}


def _too_late(asked: Asked, call: Call | None = None) -> Answer:
    _LOG.error("%s: no answer within %.0f s", asked.kind, ANSWER_SECONDS)
    return Problem(503, f"no answer within {ANSWER_SECONDS:.0f} s; try again", _AGAIN).answer(call)


def _response(answer: Answer) -> Response:
    headers = {**_HEADERS, **answer.headers}
    if answer.body and "Content-Type" not in headers:
        headers["Content-Type"] = "application/json"
    return Response(answer.body, answer.status, headers)
