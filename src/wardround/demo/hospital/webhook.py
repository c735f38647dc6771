"""A small webhook that takes notifications: for demonstration, and to see that none is missing or comes twice.

It sees what people are told of patients; it never logs it, and prints no more than the stay's pseudonym.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from threading import Lock, Thread
from typing import Any, Final

_LARGEST: Final = 1 << 20
_KEY: Final = "Idempotency-Key"


@dataclass
class Received:
    """The notifications so far: how often each idempotency key came, and what was no notification."""

    keys: Counter[str] = field(default_factory=Counter)
    refused: int = 0

    @property
    def notifications(self) -> int:
        return len(self.keys)

    @property
    def repeated(self) -> int:
        """Deliveries of a notification that had been received; the receiver acts on none of them."""
        return self.keys.total() - len(self.keys)


@contextmanager
def receiving(listening: socket, tell: Callable[[dict[str, Any]], None]) -> Iterator[Received]:
    """Takes notifications on a listening socket until the block ends; calls `tell` with each that is new."""
    received, lock = Received(), Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            content = _parsed(self.rfile.read(length)) if 0 < length <= _LARGEST else None
            key = self.headers.get(_KEY, "")
            with lock:
                is_new = content is not None and key not in received.keys
                if content is None or not key:
                    received.refused += 1
                else:
                    received.keys[key] += 1
            self.send_response(204 if content is not None and key else 400)
            self.send_header("Content-Length", "0")
            self.end_headers()
            if is_new and content is not None and key:
                tell(content)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(listening.getsockname()[:2], Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(body)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
