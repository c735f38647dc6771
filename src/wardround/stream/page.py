"""The page of each process of the stream: /health (it runs), /ready (it can work) and /metrics."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from typing import Final, NamedTuple

from wardround.adapters.prometheus import CONTENT_TYPE
from wardround.errors import DatabaseError, StorageError

_TEXT: Final = "text/plain; charset=utf-8"
_SECONDS: Final = 5.0  # for a request to arrive


class Page(NamedTuple):
    """What the page shows: `trouble` returns why the process cannot work, "" if it can; `metrics` their text."""

    trouble: Callable[[], str]
    metrics: Callable[[], str]

    def answer(self, path: str) -> tuple[int, str, str]:
        """Returns status, content type and text for a path."""
        match path:
            case "/health":
                return 200, _TEXT, "ok\n"
            case "/ready":
                trouble = _said(self.trouble)
                return (503, _TEXT, f"{trouble}\n") if trouble else (200, _TEXT, "ready\n")
            case "/metrics":
                try:
                    return 200, CONTENT_TYPE, self.metrics()
                except (StorageError, DatabaseError) as error:
                    return 503, _TEXT, f"{error}\n"
        return 404, _TEXT, "expected /health, /ready or /metrics\n"


@contextmanager
def served(page: Page, listening: socket) -> Iterator[None]:
    """Answers on the socket while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        timeout = _SECONDS

        def do_GET(self) -> None:
            status, kind, text = page.answer(self.path)
            content = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(listening.getsockname()[:2], Handler, bind_and_activate=False)
    server.daemon_threads = True
    server.socket.close()
    server.socket = listening
    thread = threading.Thread(target=server.serve_forever, args=[0.1], name="stream-page", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def _said(trouble: Callable[[], str]) -> str:
    try:
        return trouble()
    except (StorageError, DatabaseError) as error:
        return str(error)
