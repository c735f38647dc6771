"""uvicorn's HTTP protocol with limits that it does not have: time and size of a request, and errors in FHIR's words."""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from wardround.fhir.operation_outcome import operation_outcome

REQUEST_SECONDS: Final = 20.0
"""How long a request may take to arrive, headers and body, also one that has been answered already."""
LARGEST_HEADERS: Final = 64 * 2**10
"""Bytes of the URL and all headers of a request."""


class Bounded(HttpToolsProtocol):
    """A connection that is closed if a request takes too long to arrive."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: asyncio.TimerHandle | None = None
        self._read = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._read = 0
        self._start()

    def on_url(self, url: bytes) -> None:
        self._require_small(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._require_small(len(name) + len(value))
        super().on_header(name, value)

    def on_message_complete(self) -> None:
        self._stop()
        super().on_message_complete()

    def send_400_response(self, _msg: str) -> None:
        """Answers what is not HTTP, or too much of it."""
        body = operation_outcome("structure", "this is not HTTP, or its headers are too large")
        lines = [
            STATUS_LINE[400],
            b"content-type: application/json\r\n",
            b"content-length: %d\r\n" % len(body),
            b"connection: close\r\n\r\n",
            body,
        ]
        self.transport.write(b"".join(lines))
        self.transport.close()

    def _require_small(self, size: int) -> None:
        self._read += size
        if self._read > LARGEST_HEADERS:
            raise ValueError  # the parser then gives the request up, as one that is not HTTP

    def _start(self) -> None:
        self._stop()
        self._timer = self.loop.call_later(REQUEST_SECONDS, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
