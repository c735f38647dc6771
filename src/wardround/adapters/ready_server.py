"""A uvicorn server that tells when it answers."""

import socket
from collections.abc import Callable

import uvicorn


class ReadyServer(uvicorn.Server):
    """The same server, which calls `ready` as soon as it takes requests."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()
