"""Takes the notifications of FHIR Subscriptions over HTTP: `POST /subscriptions/<source>`, a Starlette application.

A notification is answered with success when it is stored durably, and not before. It sees patient values; it never logs
them, and no answer repeats anything of a request.
"""

import asyncio
import hmac
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from wardround.errors import DatabaseError, StorageError, named
from wardround.fhir.operation_outcome import operation_outcome
from wardround.stream.subscriptions.notification import NotANotification, Notified, notified

LARGEST: Final = 2**20
"""Bytes of a notification; a server that has more to say sends references instead of resources."""
SECONDS: Final = 10.0
"""How long a body may take to arrive."""
_TYPES: Final = ("", "application/fhir+json", "application/json")
_LATER: Final = {"Retry-After": "30"}
_LOG = logging.getLogger(__name__)

Keep = Callable[[str, Notified, datetime], None]
"""Stores what a source's notification announces, received then, durably. Raises StorageError or DatabaseError."""


class _Refused(Exception):
    """A request that is not taken: a status of HTTP, an issue type of FHIR, and what is wrong, in words."""

    def __init__(self, status: int, code: str, said: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(said)
        self.answer = _answer(status, operation_outcome(code, said), headers)


@dataclass(frozen=True)
class Lock:
    """What the notifications of a source must show, one of its secrets, and where they go."""

    secrets: Mapping[str, tuple[bytes, ...]]
    keep: Keep


def create_app(lock: Lock) -> Starlette:
    """Returns the application. It knows the sources that have a secret, and no others."""
    taking = _Taking(lock)
    path = "/subscriptions/{source}"
    routes = [
        Route(path, taking.notification, methods=["POST"]),
        # R4 with a payload: the URL is the base of a FHIR server, and the resource an update there.
        Route(f"{path}/Encounter/{{id}}", taking.notification, methods=["PUT", "POST"]),
    ]
    return Starlette(routes=routes, exception_handlers={404: _nowhere, 405: _wrong_method})


class _Taking:
    """The endpoint, with what its requests share."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock

    async def notification(self, request: Request) -> Response:
        try:
            await self._taken(request)
        except _Refused as refused:
            return refused.answer
        except (StorageError, DatabaseError) as error:
            _LOG.error("subscriptions: a notification was not stored: %s", error)
            return _Refused(503, "transient", "not stored; send it again", _LATER).answer
        except Exception as error:  # noqa: BLE001 - its message may quote a patient
            _LOG.error("subscriptions: %s", named(error))
            return _Refused(500, "exception", "a fault of this service; see its log").answer
        return _answer(200, b"")

    async def _taken(self, request: Request) -> None:
        received, source = datetime.now(UTC), request.path_params["source"]
        self._require_secret(source, request.headers.get("authorization", ""))
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type not in _TYPES:
            raise _Refused(415, "not-supported", "the content is not FHIR as JSON; register application/fhir+json")
        body = await _body(request)
        try:
            found = notified(body)
        except NotANotification as error:
            raise _Refused(400, "invalid", f"the body {error}; subscribe to Encounter") from None
        if (named_id := request.path_params.get("id")) and found.encounters != (named_id,):
            raise _Refused(400, "invalid", "the body is not the Encounter that the path names; send that")
        if not found.is_quiet:
            await asyncio.to_thread(self._lock.keep, source, found, received)

    def _require_secret(self, source: str, authorization: str) -> None:
        scheme, _, shown = authorization.partition(" ")
        # An unknown source is refused as a wrong secret is, and takes as long.
        secrets = self._lock.secrets.get(source, (b"\0",))
        right = [hmac.compare_digest(shown.strip().encode(), secret) for secret in secrets]
        if source not in self._lock.secrets or not any(right) or scheme.lower() != "bearer":
            said = "the header Authorization does not show this source's secret; register it with the Subscription"
            raise _Refused(401, "login", said, {"WWW-Authenticate": "Bearer"})


async def _body(request: Request) -> bytes:
    too_large = _Refused(413, "too-long", f"larger than {LARGEST // 2**20} MB; subscribe with content id-only or empty")
    parts, size = [], 0
    try:
        async with asyncio.timeout(SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > LARGEST:
                    raise too_large
                parts.append(part)
    except TimeoutError:
        raise _Refused(408, "timeout", f"the body did not arrive within {SECONDS:.0f} s; send it again") from None
    except ClientDisconnect:
        raise _Refused(400, "invalid", "the body broke off; send it again") from None
    return b"".join(parts)


async def _nowhere(_request: Request, _error: Exception) -> Response:
    return _answer(404, operation_outcome("not-found", "there is nothing at this path; POST /subscriptions/<source>"))


async def _wrong_method(_request: Request, _error: Exception) -> Response:
    return _answer(405, operation_outcome("not-supported", "a notification is posted; use POST"))


def _answer(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
    sent = {"Cache-Control": "no-store", **(headers or {})}
    return Response(body, status, sent, media_type="application/fhir+json" if body else None)
