"""Serves the door for notifications in a thread: its port, the sources' secrets, and how what arrives is stored."""

from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from socket import socket
from threading import Event, Thread
from typing import Final

import uvicorn

from wardround.adapters.files.refused import storing
from wardround.adapters.queue.intake import NotNow
from wardround.adapters.ready_server import ReadyServer
from wardround.errors import SettingsError, StorageError
from wardround.spec.stream import StreamSettings
from wardround.stream.metrics import RECEIVED, Metrics
from wardround.stream.reception import STORED_WITHIN, Store
from wardround.stream.subscriptions.announced import announced
from wardround.stream.subscriptions.app import Keep, Lock, create_app
from wardround.stream.subscriptions.notification import Notified

SHORTEST: Final = 16
"""Characters of a secret at least."""
_SHUTDOWN_SECONDS: Final = 5
_STARTED_WITHIN: Final = 30.0


@contextmanager
def opened_subscriptions(
    settings: StreamSettings, beside: Path, listening: socket, store: Store, metrics: Metrics
) -> Iterator[None]:
    """Takes notifications on the socket while the block runs; at its end, those in hand are answered.

    `beside` is the folder of the file of settings. Raises WardroundError if a secret cannot be used.
    """
    app = create_app(Lock(secrets_of(settings, beside), _storing(store, metrics)))
    ready = Event()
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    server = ReadyServer(config, ready.set)
    thread = Thread(target=server.run, kwargs={"sockets": [listening]}, name="stream-subscriptions")
    thread.start()
    try:
        ready.wait(_STARTED_WITHIN)
        yield
    finally:
        server.should_exit = True
        thread.join()


def secrets_of(settings: StreamSettings, beside: Path) -> dict[str, tuple[bytes, ...]]:
    """Returns the secrets, one a line, of each source whose server may announce Encounters: any of them opens the door.

    Raises SettingsError or StorageError.
    """
    secrets = {}
    for name, source in settings.sources.items():
        if source.subscription is not None:
            file = beside / source.subscription.secret_file
            with storing(file):
                secrets[name] = tuple(filter(None, map(bytes.strip, file.read_bytes().splitlines()))) or (b"",)
            shortest = min(map(len, secrets[name]))
            if shortest < SHORTEST:
                raise SettingsError(
                    f"{file}: a secret of source {name} has {shortest} characters, expected at least"
                    f" {SHORTEST}; make a longer one, and register it with the Subscription"
                )
    return secrets


def _storing(store: Store, metrics: Metrics) -> Keep:
    def stored(source: str, found: Notified, received: datetime) -> None:
        offered = store.offer(announced(source, found, received))
        try:
            offered.result(STORED_WITHIN)
        except (TimeoutError, CancelledError, NotNow) as error:
            offered.cancel()
            metrics.add(RECEIVED, source=source, became="not_stored")
            raise StorageError(f"stream: source {source}: a notification was not stored in time ({error})") from None
        metrics.add(RECEIVED, source=source, became="new")

    return stored
