"""The ports of all sources, open in one thread: each connection's messages go to the reception of its source."""

import asyncio
import logging
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Final

from wardround.adapters.mllp.listener import Limits, Listener
from wardround.adapters.mllp.tls import server_context
from wardround.adapters.sockets import address_of, listen
from wardround.spec.stream import StreamSettings, StreamSource
from wardround.stream.metrics import CONNECTIONS, Metrics
from wardround.stream.reception import STORED_WITHIN, Reception, Store

_LOG: Final = logging.getLogger(__name__)


class _Watch:
    """Counts the connections of a source, and says whom it turned away: each reason once, until somebody gets in."""

    def __init__(self, source: str, metrics: Metrics) -> None:
        self._source = source
        self._metrics = metrics
        self._said: set[str] = set()
        metrics.set(CONNECTIONS, 0, source=source)

    def opened(self) -> None:
        self._said.clear()
        self._metrics.add(CONNECTIONS, 1, source=self._source)
        _LOG.info("stream: source %s: a connection was opened", self._source)

    def closed(self, why: str) -> None:
        self._metrics.add(CONNECTIONS, -1, source=self._source)
        _LOG.info("stream: source %s: a connection has ended: %s", self._source, why)

    def turned_away(self, why: str) -> None:
        if why not in self._said:
            self._said.add(why)
            _LOG.warning("stream: source %s: a connection was turned away: %s", self._source, why)


@dataclass(frozen=True)
class Doors:
    """The open ports: host:port by source, and the receptions behind them."""

    where: Mapping[str, str]
    receptions: tuple[Reception, ...]

    def trouble(self) -> str:
        """Returns why a message could not be stored a moment ago, from any source; else ""."""
        return next(filter(None, (one.trouble() for one in self.receptions)), "")


@contextmanager
def opened_doors(
    settings: StreamSettings, beside: Path, store: Store, metrics: Metrics, within: float = STORED_WITHIN
) -> Iterator[Doors]:
    """Listens for all sources that have a port while the block runs.

    `beside` is the folder of the file of settings; a message may take `within` seconds to be stored. At the end,
    messages in flight are answered. Raises WardroundError if a port or a file of keys cannot be used.
    """
    with ExitStack() as stack:
        listeners: dict[str, Listener] = {}
        where: dict[str, str] = {}
        receptions: list[Reception] = []
        for name, source in settings.sources.items():
            if source.address is None:
                continue
            tls = _tls(source, beside)
            listening = stack.enter_context(listen(*source.address, f"stream {name}"))
            where[name] = address_of(listening)
            receptions.append(Reception(name, source, store, metrics, within=within))
            watch = _Watch(name, metrics)
            listeners[name] = Listener(listening, receptions[-1].answer, watch, _limits(source), tls)
            _LOG.info("stream: source %s listens on %s", name, where[name])
        with _serving(listeners):
            yield Doors(where, tuple(receptions))


@contextmanager
def _serving(listeners: Mapping[str, Listener]) -> Iterator[None]:
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = Thread(target=loop.run_until_complete, args=[_until(stop, listeners)], name="stream-doors")
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _until(stop: asyncio.Event, listeners: Mapping[str, Listener]) -> None:
    serving = [asyncio.create_task(one.serve(), name=name) for name, one in listeners.items()]
    await stop.wait()
    for task in serving:
        task.cancel()
    await asyncio.gather(*serving, return_exceptions=True)


def _limits(source: StreamSource) -> Limits:
    return Limits(source.connections, source.largest, source.idle.total_seconds())


def _tls(source: StreamSource, beside: Path) -> ssl.SSLContext | None:
    if source.tls is None:
        return None
    ca = source.tls.client_ca
    return server_context(beside / source.tls.certificate, beside / source.tls.key, beside / ca if ca else None)
