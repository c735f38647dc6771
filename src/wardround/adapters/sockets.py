"""Listening sockets for services of ours, and what ties such a service to whoever started it."""

import errno
import os
import signal
import socket
import threading
from typing import Final

from wardround.errors import WardroundError

LOOPBACK: Final = "127.0.0.1"
_NOT_THIS_MACHINE: Final = (errno.EADDRNOTAVAIL, socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_FAIL)
_BACKLOG: Final = 512


def listen(host: str, port: int, service: str) -> socket.socket:
    """Returns a listening socket; port 0 means any free port.

    Raises WardroundError, which names the service, if the address cannot be used.
    """
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=_BACKLOG
        )
    except OSError as error:
        is_foreign = error.errno in _NOT_THIS_MACHINE
        # create_server appends the address to the system's message, and ours names it already.
        why = str(error.strerror).partition(" (while ")[0]
        remedy = "give an address of this machine with --host" if is_foreign else "choose another with --port"
        raise WardroundError(
            f"{service}: cannot listen on {host} port {port} ({why}); {remedy}"
            f"{'' if is_foreign else ' (0 takes a free one)'}"
        ) from None


def is_loopback(listening: socket.socket) -> bool:
    """Returns whether only this machine can reach it."""
    return str(listening.getsockname()[0]).startswith(("127.", "::1"))


def address_of(listening: socket.socket) -> str:
    """Returns host:port of a socket."""
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def url_of(listening: socket.socket, scheme: str = "http") -> str:
    """Returns scheme://host:port of a socket."""
    return f"{scheme}://{address_of(listening)}"


def end_with_stdin() -> None:
    """Ends this process when its standard input is closed, so that it never outlives the parent at the other end."""

    def watch() -> None:
        # Not sys.stdin: a thread that waits in its buffer would break the interpreter's shutdown.
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
