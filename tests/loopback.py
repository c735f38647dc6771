"""An HTTP server on this machine that a test answers for: alone, or as a gateway before a sound FHIR server."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Given:
    """What the server behind a gateway answers."""

    status: int
    content_type: str
    body: bytes

    @property
    def bundle(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Line(BaseHTTPRequestHandler):
    """The line to a client that asks: one request, `command`, `path`, `headers` and `body`, and what to answer it."""

    protocol_version = "HTTP/1.1"
    body = b""

    def say(self, body: Any, status: int = 200, content_type: str = "application/fhir+json", **headers: str) -> None:
        """Answers whole; a body of another type than bytes goes out as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in {"Content-Type": content_type, "Content-Length": str(len(content)), **named}.items():
            self.send_header(name, value)
        self.end_headers()
        self.write(content)

    def pass_on(self, given: Given) -> None:
        """Answers what the server behind the gateway did."""
        self.say(given.body, given.status, given.content_type)

    def write(self, content: bytes) -> None:
        """Sends this, whatever it is. The client may have had enough."""
        try:
            self.wfile.write(content)
            self.wfile.flush()
        except OSError:
            self.close_connection = True

    def hang_up(self) -> None:
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(answer: Callable[[Line], None]) -> Iterator[str]:
    """Yields the base URL at which `answer` is asked about each request, until the block ends."""

    class Handler(Line):
        def _serve(self) -> None:
            self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer(self)

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}/fhir"
        finally:
            listening.shutdown()
            thread.join()


_OWN = ("Content-Length", "Accept-Encoding")

Forward = Callable[..., Given]
"""Asks the server behind a gateway: the request as it came, or with another body."""


@contextmanager
def gateway_before(server: str, meet: Callable[[Line, Forward], None]) -> Iterator[str]:
    """Yields the base URL of a gateway before a server: `meet` says what becomes of each request."""
    target = urlsplit(server)

    def answer(line: Line) -> None:
        def forward(body: bytes = line.body) -> Given:
            connection = http.client.HTTPConnection(target.hostname or "", target.port)
            # What a server packs would have to be unpacked before it is judged here.
            headers = {name: value for name, value in line.headers.items() if name not in _OWN}
            connection.request(line.command, line.path, body, headers)
            answered = connection.getresponse()
            given = Given(answered.status, answered.headers.get("Content-Type", ""), answered.read())
            connection.close()
            return given

        meet(line, forward)

    with serving(answer) as url:
        yield url
