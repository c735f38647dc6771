"""Remembers the tokens that were used, in Wardround's own database, so that none is used twice at any worker."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from wardround.adapters.database.database import Database
from wardround.adapters.database.tables import USED_TOKENS

_PURGED_EVERY: Final = timedelta(minutes=1)


class UsedTokens:
    """The used tokens of all workers; several threads may ask."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._purged = datetime.min.replace(tzinfo=UTC)

    def take(self, issuer: str, jti: str, expires: datetime, now: datetime) -> bool:
        """Records that a token is used, until `expires`, and returns whether it is for the first time.

        Now and then it removes those that have expired. Raises StorageError or DatabaseError.
        """
        purge = self._is_time_to_purge(now)
        try:
            with self._database.writing() as connection:
                if purge:
                    connection.execute(delete(USED_TOKENS).where(USED_TOKENS.c.expires < now))
                connection.execute(insert(USED_TOKENS), {"issuer": issuer, "jti": jti, "expires": expires})
        except IntegrityError:
            return False
        return True

    def check(self) -> None:
        """Raises StorageError or DatabaseError if the database cannot be asked now."""
        with self._database.reading() as connection:
            connection.execute(select(USED_TOKENS.c.jti).limit(1)).all()

    def _is_time_to_purge(self, now: datetime) -> bool:
        with self._lock:
            due = now - self._purged >= _PURGED_EVERY
            self._purged = now if due else self._purged
            return due
