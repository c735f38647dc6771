"""Opens and prepares the SQLite file, and provides sessions; many may read while one writes."""

import queue
import sqlite3
import tempfile
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

from wardround.adapters.files.refused import storing_rows
from wardround.demo.fhir_server.dates import microseconds
from wardround.demo.fhir_server.schema import create_indexes, create_tables, drop_indexes
from wardround.demo.fhir_server.session import Numbers, Session, WritingSession

_BUSY_SECONDS = 30.0
# Statistics are renewed each time the store has grown by this factor, because SQLite's planner needs recent ones.
_GROWTH = 4


@lru_cache(100_000)
def folded(text: str | None) -> str | None:
    """Returns a text in the form in which string searches compare it: without case and accents."""
    if text is None:
        return None
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _now() -> datetime:
    return datetime.now(UTC)


class Store:
    """Stores resources in one SQLite file (WAL); without a path, in a temporary one that is removed at the end.

    Several processes may open the same file: a writing session takes the file's write lock before it reads, so that
    "search, then create if absent" is atomic.
    """

    def __init__(self, path: Path | None = None, clock: Callable[[], datetime] = _now) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="wardround-fhir-") if path is None else None
        self._path = path or Path(self._folder.name if self._folder else "") / "fhir.sqlite"
        self._synchronous = f"PRAGMA synchronous = {'OFF' if self._folder else 'NORMAL'}"
        self.clock = clock
        self._numbers = Numbers()
        self._writer_free = threading.Lock()
        self._readers: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        with storing_rows(self._path):
            self._writer = self._connect()
            self._writer.execute("PRAGMA cache_size = -65536")
            self._writer.executescript(f"BEGIN IMMEDIATE;{create_tables()}{create_indexes()}COMMIT;")
            self._analysed_at = self._analyse()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes every connection, and removes a temporary store."""
        self._close_readers()
        self._writer.close()
        if self._folder is not None:
            self._folder.cleanup()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Yields a session that sees one state of the store, whatever is written meanwhile."""
        try:
            connection = self._readers.get_nowait()
        except queue.Empty:
            connection = self._connect()
        connection.execute("BEGIN")
        try:
            yield Session(connection)
        finally:
            connection.execute("ROLLBACK")
            self._readers.put(connection)

    @contextmanager
    def writing(self) -> Iterator[WritingSession]:
        """Yields a session whose writes are all kept, or none of them if it raises."""
        with storing_rows(self._path), self._writer_free:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                session = WritingSession(self._writer, self._numbers, self._time())
                yield session
                self._writer.execute("COMMIT")
            except BaseException:
                self._writer.execute("ROLLBACK")
                self._numbers.forget()
                raise
            if session.newest_pk() > _GROWTH * self._analysed_at:
                self._analysed_at = self._analyse()

    @contextmanager
    def loading(self) -> Iterator[WritingSession]:
        """Yields a writing session for very many resources: an empty store is filled without journal and indexed last.

        A store that was empty must be thrown away if this raises.
        """
        if self._newest():
            with self.writing() as session:
                yield session
            return
        with storing_rows(self._path):
            self._writer.executescript(f"{drop_indexes()}PRAGMA journal_mode = OFF;PRAGMA synchronous = OFF;")
            self._writer.execute("BEGIN IMMEDIATE")
            yield WritingSession(self._writer, self._numbers, self._time())
            self._writer.execute("COMMIT")
            self._writer.executescript(f"{create_indexes()}PRAGMA journal_mode = WAL;")
            self._writer.execute(self._synchronous)
            self._analysed_at = self._analyse()

    def _time(self) -> int:
        """Returns the current time, truncated to milliseconds, the precision of an instant."""
        return microseconds(self.clock()) // 1000 * 1000

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(self._synchronous)
        connection.create_function("folded", 1, folded, deterministic=True)
        return connection

    def _analyse(self) -> int:
        """Renews SQLite's statistics and returns the number of resources. Readers must reopen to see them."""
        # With a smaller sample, SQLite assumes few of 1.8 million Observations per code, and searches by code first.
        self._writer.execute("PRAGMA analysis_limit = 100000")
        self._writer.execute("ANALYZE")
        self._close_readers()
        return max(1000, self._newest())

    def _newest(self) -> int:
        return Session(self._writer).newest_pk()

    def _close_readers(self) -> None:
        while True:
            try:
                self._readers.get_nowait().close()
            except queue.Empty:
                return
