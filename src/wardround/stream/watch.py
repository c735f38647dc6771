"""Watches the stream: sends alarms, again until somebody acknowledges them, and says when they end."""

import logging
import shutil
from collections.abc import Callable
from datetime import datetime
from socket import socket
from typing import Final

from wardround.adapters.database.database import Database, opened
from wardround.adapters.queue.alarm_rows import AlarmRow, pushed, settle
from wardround.adapters.queue.figures import stuck
from wardround.adapters.queue.queue import Queue
from wardround.errors import DatabaseError, StorageError
from wardround.settings import Settings
from wardround.spec.loading import load_stream
from wardround.spec.stream import StreamSettings
from wardround.stream.alarm_hook import Hook, opened_hook
from wardround.stream.alarm_rules import Seen, alarms_of
from wardround.stream.metrics import Metrics
from wardround.stream.page import Page, served
from wardround.stream.runner import utc_now
from wardround.stream.serving import stopping
from wardround.stream.status import status_of

EVERY: Final = 15.0  # seconds
_DATABASE: Final = "database"
_LOG = logging.getLogger(__name__)


class Watch:
    """Looks again and again; it remembers only what cannot be in the database."""

    def __init__(self, database: Database, stream: StreamSettings, hook: Hook | None, started: datetime) -> None:
        self._queue = Queue(database)
        self._stream = stream
        self._hook = hook
        self._started = started
        self._without_database: datetime | None = None
        self.trouble = ""

    def look(self, now: datetime) -> dict[str, str]:
        """Looks once, and sends what is new; returns what is raised."""
        try:
            raised = alarms_of(self._seen(now), self._stream.alarms)
            settled = settle(self._queue.database, raised, self._stream.alarms.repeat, now)
            for row in settled.to_push:
                self._push(row, raised[row.name], now)
            for row in settled.ended:
                self._tell(row.name, "ended", "it is over", row.since or now, now)
        except (StorageError, DatabaseError) as error:
            self._lost_database(str(error), now)
            return {_DATABASE: str(error)}
        self._found_database(now)
        return raised

    def _seen(self, now: datetime) -> Seen:
        status = status_of(self._queue, now)
        listening = [name for name, one in self._stream.sources.items() if one.listen or one.subscription]
        heard = {name: max(status.sources.get(name, self._started), self._started) for name in listening}
        open_too_long = stuck(self._queue, now - self._stream.alarms.stuck)
        file = self._queue.database.place.file
        free = shutil.disk_usage(file.parent).free // 1_000_000 if file else None
        return Seen(status, open_too_long, heard, free)

    def _push(self, row: AlarmRow, text: str, now: datetime) -> None:
        if self._tell(row.name, "raised", text, row.since or now, now):
            pushed(self._queue.database, row.name, now)

    def _tell(self, name: str, state: str, text: str, since: datetime, now: datetime) -> bool:
        _LOG.warning("stream: alarm %s %s: %s", name, state, text)
        return self._hook is None or self._hook.tell(name, state, text, since, now)

    def _lost_database(self, why: str, now: datetime) -> None:
        self.trouble = why
        if self._without_database is None and self._tell(_DATABASE, "raised", why, now, now):
            self._without_database = now

    def _found_database(self, now: datetime) -> None:
        self.trouble = ""
        if self._without_database is not None:
            self._tell(_DATABASE, "ended", "it is over", self._without_database, now)
            self._without_database = None


def serve_watch(settings: Settings, listening: socket, ready: Callable[[], None]) -> None:
    """Watches until SIGTERM or SIGINT; answers on the socket. Raises WardroundError if it cannot be prepared."""
    stream = load_stream(settings.stream)
    with stopping() as stop, opened(settings.database) as database, opened_hook(stream, settings) as hook:
        watch = Watch(database, stream, hook, utc_now())
        with served(Page(lambda: watch.trouble, Metrics().text), listening):
            ready()
            while not stop.is_set():
                watch.look(utc_now())
                stop.wait(EVERY)
