"""Listens for MLLP: many connections, each with one message in flight at a time.

The next message of a connection is read when the one before is answered: a sender that is too fast waits, and no answer
can be taken for another's.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from wardround.adapters.mllp.framing import Deframer, Frame, framed
from wardround.errors import named

_AT_ONCE: Final = 65_536
_HANDSHAKE: Final = 10.0  # seconds
_ANSWER_TAKEN: Final = 5.0  # seconds until the sender must have read an answer
_ACCEPT_AGAIN: Final = 0.5  # seconds to wait where the process has no file descriptor left


class Answer(NamedTuple):
    """What a message gets: messages without framing, in order, and whether the connection is closed after them."""

    bodies: tuple[bytes, ...]
    closes: bool = False

    def __repr__(self) -> str:
        """Returns nothing of a patient."""
        return "Answer(…)"


class Watch(Protocol):
    """Who counts what happens to connections."""

    def opened(self) -> None:
        """Counts a connection that is served."""

    def closed(self, why: str) -> None:
        """Counts its end: a word such as `idle`; for a fault of the program the error's type and place."""

    def turned_away(self, why: str) -> None:
        """Counts one that is not served: too many, or no TLS with it."""


@dataclass(frozen=True)
class Limits:
    """What a connection may cost.

    Attributes:
        connections: how many at a time.
        largest: bytes of a message.
        idle: seconds without a message until it is closed.
        arrives_within: seconds that a message may take to arrive, from its first byte to its last.
    """

    connections: int = 20
    largest: int = 1_000_000
    idle: float = 3_600.0
    arrives_within: float = 60.0


class Listener:
    """One port. It runs in an event loop, and lets `answer` decide about each message."""

    def __init__(
        self,
        listening: socket.socket,
        answer: Callable[[Frame], Awaitable[Answer]],
        watch: Watch,
        limits: Limits,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._listening = listening
        self._answer = answer
        self._watch = watch
        self._limits = limits
        self._tls = tls
        self._served: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[None]] = set()
        self._is_ending = False

    async def serve(self) -> None:
        """Serves connections until it is cancelled; then messages in flight get their answers first."""
        self._listening.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    connection, _ = await loop.sock_accept(self._listening)
                except OSError:
                    await asyncio.sleep(_ACCEPT_AGAIN)
                    continue
                if len(self._served) >= self._limits.connections:
                    self._watch.turned_away("too_many")
                    connection.close()
                    continue
                task = loop.create_task(self._serve_one(connection))
                self._served.add(task)
                task.add_done_callback(self._served.discard)
        finally:
            self._listening.close()
            await self._end()

    async def _end(self) -> None:
        self._is_ending = True
        for task in self._waiting:
            task.cancel()
        if self._served:
            await asyncio.wait(self._served)

    async def _serve_one(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_AT_ONCE)
        protocol = asyncio.StreamReaderProtocol(reader)
        patience = {"ssl_handshake_timeout": _HANDSHAKE} if self._tls else {}
        try:
            with self._interruptible():
                transport, _ = await loop.connect_accepted_socket(
                    lambda: protocol, connection, ssl=self._tls, **patience
                )
        except asyncio.CancelledError:
            connection.close()
            return
        except OSError as error:
            connection.close()
            self._watch.turned_away(_why(error))
            return
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        self._watch.opened()
        why = "lost"
        try:
            why = await self._talk(reader, writer)
        except asyncio.CancelledError:
            why = "stopped"
        except OSError:
            pass
        except Exception as error:  # noqa: BLE001 - asyncio would log its message
            why = named(error)
        finally:
            await _closed(writer)
            # Whoever sees the count finds the place free.
            self._served.discard(_this_task())
            self._watch.closed(why)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Answers the messages of a connection; returns why it ends."""
        deframer = Deframer(self._limits.largest)
        clock = asyncio.get_running_loop().time
        since = clock()
        while not self._is_ending:
            was_inside = deframer.is_inside
            patience = self._limits.arrives_within if was_inside else self._limits.idle
            try:
                data = await self._read(reader, since + patience - clock())
            except TimeoutError:
                return "slow" if was_inside else "idle"
            if not data:
                return "cut" if was_inside else "left"
            for frame in deframer.fed(data):
                answer = await self._answer(frame)
                if not await self._write(writer, answer.bodies):
                    return "unread"
                if answer.closes:
                    return "refused"
                since = clock()
            if deframer.is_inside and not was_inside:
                since = clock()
        return "stopped"

    async def _read(self, reader: asyncio.StreamReader, patience: float) -> bytes:
        """Waits for bytes; only while it does, the end of serving may interrupt a connection."""
        with self._interruptible():
            async with asyncio.timeout(patience):
                return await reader.read(_AT_ONCE)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        task = _this_task()
        self._waiting.add(task)
        try:
            yield
        finally:
            self._waiting.discard(task)

    async def _write(self, writer: asyncio.StreamWriter, bodies: tuple[bytes, ...]) -> bool:
        """Sends answers; returns False if the sender does not read them."""
        if bodies:
            writer.write(b"".join(map(framed, bodies)))
        try:
            async with asyncio.timeout(_ANSWER_TAKEN):
                await writer.drain()
        except TimeoutError:
            writer.transport.abort()
            return False
        return True


def _this_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None
    return task


async def _closed(writer: asyncio.StreamWriter) -> None:
    """Closes a connection when what was written is sent, and at once if that takes too long."""
    writer.close()
    try:
        async with asyncio.timeout(_ANSWER_TAKEN):
            await writer.wait_closed()
    except (OSError, TimeoutError, asyncio.CancelledError):
        writer.transport.abort()


def _why(error: OSError) -> str:
    """Returns why TLS was refused, in OpenSSL's words, which name no certificate."""
    return error.reason if isinstance(error, ssl.SSLError) and error.reason else "HANDSHAKE_BROKEN_OFF"
