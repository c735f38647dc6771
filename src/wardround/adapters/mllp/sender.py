"""A client of MLLP: sends a message and waits for its answer, as an interface engine does."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from wardround.adapters.mllp.framing import Deframer, framed

_LARGEST_ANSWER: Final = 1_000_000
_AT_ONCE: Final = 65_536


class Sender:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._deframer = Deframer(_LARGEST_ANSWER)
        self._answers: list[bytes] = []

    def send(self, body: bytes) -> bytes:
        """Sends a message and returns the first answer. Raises OSError if none comes in time, or ever."""
        self.connection.sendall(framed(body))
        return self.answer()

    def answer(self) -> bytes:
        """Returns the next answer. Raises the same."""
        while not self._answers:
            data = self.connection.recv(_AT_ONCE)
            if not data:
                raise ConnectionResetError("the connection was closed without an answer")
            self._answers += [frame.body for frame in self._deframer.fed(data)]
        return self._answers.pop(0)


@contextmanager
def sender_to(host: str, port: int, tls: ssl.SSLContext | None = None, wait: float = 30.0) -> Iterator[Sender]:
    """Gives a connection that waits for `wait` seconds at most, each time. Raises OSError."""
    with socket.create_connection((host, port), timeout=wait) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is None:
            yield Sender(plain)
        else:
            with tls.wrap_socket(plain, server_hostname=host) as wrapped:
                yield Sender(wrapped)
