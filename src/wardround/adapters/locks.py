"""Locks that keep two processes from writing the same at once, where all who must respect them can reach them.

What lies in a folder is locked by files in it, for all who share the folder. Object storage has no locks, so what lies
there is locked in Wardround's own database: in PostgreSQL, for all machines that share it; with a SQLite file, which is
on one machine, by files beside it. Either kind ends with the process that holds it, however that ends.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wardround.adapters.files import turns
from wardround.adapters.files.folder import Folder

Require = Callable[[], None]
"""Raises DatabaseError if the lock has been lost, so that nothing more may be written; called before each write."""


class Locks(Protocol):
    """Locks of one place."""

    def turn(self, where: str, what: Sequence[str], run: str) -> AbstractContextManager[Require]:
        """Waits until no other run writes `what` to `where`, and makes others wait meanwhile.

        Callers that name the same run do not wait for each other. Raises StorageError or DatabaseError, also at the end
        of the block, if the lock was lost meanwhile.
        """
        ...


@dataclass(frozen=True)
class FileLocks:
    """Locks on files in a folder, which cannot be lost while their process lives."""

    folder: Path

    @contextmanager
    def turn(self, where: str, what: Sequence[str], run: str) -> Iterator[Require]:
        with turns.turn(self.folder, where, what, run):
            yield lambda: None


def locks_for(store: str, database: str) -> Locks:
    """Returns the locks for what lies at a path or a URL. Raises SettingsError, StorageError."""
    folder = Folder(store)
    return FileLocks(folder.path / ".locks") if folder.is_local else _database_locks(database)


def alone(locks: Locks, where: str, what: Sequence[str]) -> AbstractContextManager[Require]:
    """Waits until nobody else writes `what` to `where`, not even another task of this run; makes all others wait."""
    return locks.turn(where, what, secrets.token_hex(8))


def _database_locks(database: str) -> Locks:
    # SQLAlchemy, which a folder of locks does not need.
    from wardround.adapters.database.advisory_locks import AdvisoryLocks
    from wardround.adapters.database.place import place_of

    place = place_of(database)
    if place.file:
        return FileLocks(place.file.with_name(f"{place.file.name}.locks"))
    return AdvisoryLocks(place)
