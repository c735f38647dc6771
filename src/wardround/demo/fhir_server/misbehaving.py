"""ASGI middleware around the server: counts requests, and applies faults to them."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wardround.demo.fhir_server.faults import Fault, Faults
from wardround.demo.fhir_server.problems import operation_outcome
from wardround.demo.fhir_server.sign_in import TOKEN_PATH

_NAMED = ("_search", "_history", "metadata", "fhir", "$export", "smart-configuration")


class Misbehaving:
    """Wraps the app. `counts` is the number of requests by method and kind of path ("GET Observation/{id}").

    `transports` are the open connections by the client's address, so that one can be closed midway; without them (when
    used in-process), a cut connection is a ConnectionAbortedError.
    """

    def __init__(
        self, app: ASGIApp, faults: Faults, counts: Counter[str], transports: dict[tuple[str, int], asyncio.Transport]
    ) -> None:
        self._app = app
        self._faults = faults
        self._counts = counts
        self._transports = transports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(("/fhir", TOKEN_PATH)):
            await self._app(scope, receive, send)
            return
        self._counts[f"{scope['method']} {_kind(scope['path'])}"] += 1
        for fault in self._faults.meeting(scope["method"], scope["path"]):
            if fault.kind != "delay":
                await self._suffer(fault, scope, receive, send)
                return
            await asyncio.sleep(fault.seconds)
        await self._app(scope, receive, send)

    async def _suffer(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.kind == "status":
            await _refuse(fault, send)
        elif fault.kind == "truncate":
            await self._app(scope, receive, _half(send))
            await self._cut(scope, receive)
        else:
            if fault.kind == "drop_after":
                await self._app(scope, receive, _silence)
            await self._cut(scope, receive)

    async def _cut(self, scope: Scope, receive: Receive) -> None:
        transport = self._transports.get(tuple(scope["client"] or ()))
        if transport is None:
            raise ConnectionAbortedError("a fault cut the connection")
        transport.close()
        # uvicorn closes the connection a little later; if we returned before that, it would answer 500.
        while (await receive())["type"] != "http.disconnect":
            pass


def _kind(path: str) -> str:
    """Returns the path with ids as {id}: "RiskAssessment/{id}"; the base is "/"."""
    parts = [part for part in path.split("/") if part][1:]
    return "/".join(part if at == 0 or part in _NAMED else "{id}" for at, part in enumerate(parts)) or "/"


async def _refuse(fault: Fault, send: Send) -> None:
    body = operation_outcome("error", "transient", "refused by a fault that was requested")
    headers = [(b"content-type", b"application/fhir+json"), (b"content-length", str(len(body)).encode())]
    if fault.retry_after is not None:
        headers.append((b"retry-after", _retry_after(fault.retry_after, fault.retry_after_date)))
    await send({"type": "http.response.start", "status": fault.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _retry_after(seconds: int, as_date: bool) -> bytes:
    if not as_date:
        return str(seconds).encode()
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True).encode()


def _half(send: Send) -> Send:
    """Returns a `send` that sends the head and half of the body."""

    async def send_half(message: Message) -> None:
        if message["type"] == "http.response.body":
            body = message.get("body", b"")
            message = {**message, "body": body[: len(body) // 2], "more_body": True}
        await send(message)

    return send_half


async def _silence(_message: Message) -> None:
    """Sends nothing."""
