"""Corrects the request that Airflow's connection form sends for its Test button, before Airflow reads it.

Airflow 3.3.2 sends port 0 for a connection without a port, finds that this differs from the stored port, and answers
400 without testing anything. A FHIR connection has its port in its base URL, so that the button would never work.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import orjson

from wardround.airflow.provider import CONNECTION_TYPE

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

_TESTED_AT: Final = "/api/v2/connections/test"


class PortLeftEmpty:
    """ASGI middleware that removes port 0 from the test of a FHIR connection; other requests pass unchanged."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith(_TESTED_AT):
            body = await _whole(receive)
            content = without_port_0(body)
            headers = [pair for pair in scope["headers"] if pair[0] != b"content-length"]
            scope = {**scope, "headers": [*headers, (b"content-length", str(len(content)).encode())]}
            receive = _once(content, receive)
        await self._app(scope, receive, send)


def without_port_0(body: bytes) -> bytes:
    """Returns the body of a test with the port 0 of a FHIR connection replaced by null; any other body unchanged."""
    try:
        asked = orjson.loads(body)
    except ValueError:  # Airflow reports what is wrong with it
        return body
    if not isinstance(asked, dict) or asked.get("conn_type") != CONNECTION_TYPE or asked.get("port") != 0:
        return body
    return orjson.dumps({**asked, "port": None})


async def _whole(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _once(body: bytes, receive: Receive) -> Receive:
    """Returns a `receive` that yields the body first, and then what the original one yields."""
    given = False

    async def next_message() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return next_message
