"""A listener in a thread of the test's process, whose answers the test decides."""

import asyncio
import socket
from collections import Counter
from contextlib import contextmanager
from threading import Event, Thread

from wardround.adapters.mllp.framing import framed
from wardround.adapters.mllp.listener import Answer, Limits, Listener
from wardround.adapters.mllp.sender import sender_to
from wardround.adapters.sockets import listen

WAIT = 60  # seconds; only a test that fails waits for them


class Watched:
    """Counts of what happened to connections; `wait_for` waits until something has happened that often."""

    def __init__(self):
        self.counts = Counter()
        self._changed = Event()

    def opened(self):
        self._count("opened")

    def closed(self, why):
        self._count(f"closed: {why}")

    def turned_away(self, why):
        self._count(f"turned away: {why}")

    def _count(self, what):
        self.counts[what] += 1
        self._changed.set()

    def wait_for(self, what, times=1):
        self.wait_until(lambda counts: counts[what] >= times)

    def wait_until(self, is_met):
        while not is_met(self.counts):
            self._changed.clear()
            if not is_met(self.counts):
                assert self._changed.wait(WAIT), self.counts


class Served:
    """A listener and what it has seen."""

    def __init__(self, port):
        self.port = port
        self.watch = Watched()
        self.frames = []

    def sender(self, tls=None):
        return sender_to("localhost" if tls else "127.0.0.1", self.port, tls, WAIT)

    def exchanged(self, *pieces, ends=True):
        """Returns all bytes that come back for these; with `ends` the sending half is closed after them."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                connection.sendall(piece)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            return everything(connection)


def everything(connection):
    """Returns what arrives until the other side closes."""
    found = b""
    while data := connection.recv(65_536):
        found += data
    return found


def echo(frame):
    """Answers with the message, and whether it was whole."""
    return Answer((frame.body if frame.is_whole else b"too large: " + frame.body,))


@contextmanager
def served(answer=echo, limits=Limits(), tls=None):  # noqa: B008 - frozen
    """Gives a listener. `answer` is asked for each frame in a thread of its own, so it may wait."""
    listening = listen("127.0.0.1", 0, "test")
    one = Served(listening.getsockname()[1])

    async def answered(frame):
        one.frames.append(frame)
        return await asyncio.to_thread(answer, frame)

    loop = asyncio.new_event_loop()
    listener = Listener(listening, answered, one.watch, limits, tls)
    serving = loop.create_task(listener.serve())

    def run():
        try:
            loop.run_until_complete(serving)
        except asyncio.CancelledError:
            pass
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    thread = Thread(target=run)
    thread.start()
    one.stop = lambda: loop.call_soon_threadsafe(serving.cancel)
    try:
        yield one
    finally:
        if not loop.is_closed():
            one.stop()
        thread.join(WAIT)
        assert not thread.is_alive()


def is_refused(sender, body=b"MSH|1\r"):
    """Returns whether a sender gets no answer; over TLS 1.3 it learns of it when it reads, by either error."""
    try:
        with sender as one:
            one.send(body)
    except OSError:
        return True
    return False


def answers(*bodies):
    return b"".join(map(framed, bodies))
