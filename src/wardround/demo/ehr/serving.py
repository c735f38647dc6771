"""Serves the page to this machine: its files, and where the FHIR server and the bedside door are."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PAGE: Final = Path(__file__).parent / "page"
_STOP_SECONDS: Final = 2


@contextmanager
def served(listening: socket.socket, fhir: str, cds: str) -> Iterator[None]:
    """Serves the page in a thread until the block ends; `fhir` and `cds` are the base URLs that it asks."""
    asked = " ".join(f"{urlsplit(url).scheme}://{urlsplit(url).netloc}" for url in (fhir, cds))
    policy = f"default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self' {asked}"

    async def places(_request: object) -> JSONResponse:
        return JSONResponse({"fhir": fhir, "cds": cds})

    routes = [Route("/places.json", places), Mount("/", StaticFiles(directory=_PAGE, html=True))]
    app = Starlette(routes=routes, middleware=[Middleware(_Guarded, policy=policy)])
    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


class _Guarded:
    """Lets the page load nothing from elsewhere and ask nobody but the two servers."""

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self._app = app
        self._headers = [
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", b"no-store"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        await self._app(scope, receive, guarded)
