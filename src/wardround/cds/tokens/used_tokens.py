"""Remembers the tokens that were used, in Wardround's own database, so that none is used twice at any worker.

A token counts as used when its row is on disk, which takes some milliseconds. Tokens that arrive meanwhile are written
together, in the next transaction.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete, select

from wardround.adapters.database.database import Database
from wardround.adapters.database.inserting import insert_new
from wardround.adapters.database.tables import USED_TOKENS

_PURGED_EVERY: Final = timedelta(minutes=1)


@dataclass(eq=False)
class _Use:
    """A token that is used; `first` will say whether for the first time, or raise why nobody knows."""

    row: dict[str, str | datetime]
    first: Future[bool] = field(default_factory=Future)


class UsedTokens:
    """The used tokens of all workers; several threads may ask."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Use] = []
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._purged = datetime.min.replace(tzinfo=UTC)

    def take(self, issuer: str, jti: str, expires: datetime, now: datetime) -> bool:
        """Records that a token is used, until `expires`, and returns whether it is for the first time.

        Now and then it removes those that have expired. Raises StorageError or DatabaseError, for all that came
        together. What cannot be stored, such as NUL, is for the caller to refuse.
        """
        use = _Use({"issuer": issuer, "jti": jti, "expires": expires})
        with self._lock:
            self._waiting.append(use)
        with self._writing:
            if not use.first.done():
                self._take_all(now)
        return use.first.result()

    def _take_all(self, now: datetime) -> None:
        """Writes all uses that wait, in one transaction, and says to each what became of it."""
        with self._lock:
            uses, self._waiting = self._waiting, []
        try:
            first = self._written(uses, now)
        except Exception as error:  # noqa: BLE001 - each of them is told, whatever it is
            for use in uses:
                use.first.set_exception(error)
        else:
            for use, is_first in zip(uses, first, strict=True):
                use.first.set_result(is_first)

    def _written(self, uses: Sequence[_Use], now: datetime) -> list[bool]:
        """Returns, for each use, whether it is the first of its token, once all are on disk."""
        purge = now - self._purged >= _PURGED_EVERY
        first: dict[_Use, bool] = {}
        with self._database.writing() as connection:
            if purge:
                connection.execute(delete(USED_TOKENS).where(USED_TOKENS.c.expires < now))
            insert = insert_new(connection, USED_TOKENS)
            counted = insert.execution_options(preserve_rowcount=True)
            # In order, as in PostgreSQL two workers with the same tokens would otherwise wait for each other.
            for use in sorted(uses, key=lambda one: (one.row["issuer"], one.row["jti"])):
                first[use] = connection.execute(counted, use.row).rowcount == 1
        if purge:
            self._purged = now
        return [first[use] for use in uses]

    def check(self) -> None:
        """Raises StorageError or DatabaseError if the database cannot be asked now."""
        with self._database.reading() as connection:
            connection.execute(select(USED_TOKENS.c.jti).limit(1)).all()
