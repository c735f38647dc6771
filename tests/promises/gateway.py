"""A gateway before a FHIR server: what is written can be changed, lost, or answered otherwise; reads pass."""

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from tests.loopback import serving

Bundle = dict[str, Any]
Alter = Callable[[Bundle, Callable[[Bundle], Bundle]], Bundle | None]
"""What becomes of a request that writes: it and how to forward it in, the answer out; None closes the connection."""


@dataclass
class Gateway:
    """Stands before the server. `alter` is asked about every batch and single write, reads pass."""

    url: str = ""
    alter: Alter = lambda asked, forward: forward(asked)
    writes: list[str] = field(default_factory=list)


@contextmanager
def gateway_before(base_url: str) -> Iterator[Gateway]:
    """A gateway to a server, until the block ends."""
    gate, target = Gateway(), urlsplit(base_url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = 200

            def forward(asked: Bundle | None) -> Any:
                nonlocal status
                connection = http.client.HTTPConnection(target.hostname or "", target.port)
                sent = body if asked is None else json.dumps(asked).encode()
                headers = {name: value for name, value in self.headers.items() if name != "Content-Length"}
                connection.request(self.command, self.path, sent, headers)
                answer = connection.getresponse()
                status, content = answer.status, answer.read()
                connection.close()
                return json.loads(content)

            if self.command == "GET" or self.path.endswith("_search"):
                answer = forward(None)
            else:
                gate.writes.append(f"{self.command} {self.path} {self.headers} {body.decode()}")
                answer = gate.alter(json.loads(body), forward)
            if answer is None:
                self.close_connection = True
                return
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/fhir+json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _serve  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as gate.url:
        yield gate


def kinds(asked: Bundle) -> set[str]:
    """The types of the resources that a batch or a single write holds."""
    return {entry["resource"]["resourceType"] for entry in asked.get("entry", [{"resource": asked}])}
