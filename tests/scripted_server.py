"""A real HTTP server on loopback that answers what a test tells it to."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.loopback import Line, serving


@dataclass(frozen=True)
class Reply:
    """What the server sends; `body` of another type than bytes goes out as JSON."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False  # claim more bytes than are sent


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    port: int  # the client's: equal for requests over one connection

    @property
    def form(self) -> dict[str, list[str]]:
        """What is searched for, in the body or in the URL."""
        return parse_qs(self.body.decode() or urlsplit(self.path).query)


@dataclass
class ScriptedServer:
    """Answers with `answer(request)` and keeps all requests."""

    url: str
    requests: list[Request]
    answer: Callable[[Request], Reply]

    def replies(self, *replies: Reply) -> None:
        """Gives these replies in turn."""
        rest = list(replies)
        self.answer = lambda _request: rest.pop(0)


def bundle(*resources: dict[str, Any], following: str | None = None, **rest: Any) -> Reply:
    """A page of search results."""
    link = [{"relation": "next", "url": following}] if following else []
    entry = [{"resource": resource} for resource in resources]
    return Reply({"resourceType": "Bundle", "type": "searchset", "link": link, "entry": entry, **rest})


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server that says 500 until a test sets its answers."""
    script = ScriptedServer("", [], lambda _request: Reply(status=500))

    def answer(line: Line) -> None:
        request = Request(line.command, line.path, dict(line.headers), line.body, line.client_address[1])
        script.requests.append(request)
        reply = script.answer(request)
        content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        promised = {"Content-Length": str(len(content) + 10)} if reply.cut else {}
        line.say(content, reply.status, **{**reply.headers, **promised})
        if reply.cut:
            line.hang_up()

    with serving(answer) as script.url:
        yield script


@pytest.fixture
def page() -> Callable[..., Reply]:
    return bundle


@pytest.fixture
def reply() -> type[Reply]:
    return Reply
