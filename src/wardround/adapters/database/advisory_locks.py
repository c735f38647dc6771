"""Locks in PostgreSQL, for runs and models that lie where no file can be locked.

Each is held by a connection of its own and ends with it, so PostgreSQL releases what a killed process held. But a
connection also ends when the server restarts or the network is cut, and then others may take the lock. So its holder
asks before each write whether it still has it.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from json import dumps
from threading import Lock
from typing import Any, Final

from sqlalchemy import Connection, NullPool, TextClause, text

from wardround.adapters.database.database import engine_at
from wardround.adapters.database.place import Place
from wardround.errors import DatabaseError

_LOOK: Final = 0.25  # seconds between two looks at a lock that others hold
# If the other end is gone without a word, either end of the connection notices within half a minute.
_ALIVE: Final = {"keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3"}
# The limits are those that an administrator may have set for sessions: this one is idle while its holder works.
_OF_SESSION: Final = {
    **{f"tcp_{name}": value for name, value in _ALIVE.items()},
    **dict.fromkeys(("idle_session_timeout", "statement_timeout", "lock_timeout"), "0"),
}
_SET: Final = text("select set_config(name, :value, false) from pg_settings where name = :name")

# A lock has two numbers: of what is written, and of the run that writes it. Number 0 is the gate, which is held for a
# moment by whoever looks and enters.
_THIS: Final = "cast(:what as integer)"
_GATE: Final = text(f"select pg_advisory_lock({_THIS}, 0)")
_OPEN: Final = text(f"select pg_advisory_unlock({_THIS}, 0)")
_SHARE: Final = text(f"select pg_advisory_lock_shared({_THIS}, cast(:run as integer))")
_LEAVE: Final = text(f"select pg_advisory_unlock_shared({_THIS}, cast(:run as integer))")
_HELD: Final = f"""select count(*) from pg_locks
 where locktype = 'advisory' and objsubid = 2 and granted and classid = {_THIS}::oid
 and database = (select oid from pg_database where datname = current_database())"""
_OTHERS: Final = text(f"{_HELD} and objid not in (0, cast(:run as integer)::oid)")
_MINE: Final = text(f"{_HELD} and objid = cast(:run as integer)::oid and pid = pg_backend_pid()")

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class AdvisoryLocks:
    """Implements `Locks` for all machines that share a PostgreSQL database."""

    place: Place

    @contextmanager
    def turn(self, where: str, what: Sequence[str], run: str) -> Iterator[Callable[[], None]]:
        """See `Locks`. Raises DatabaseError."""
        lasting = replace(self.place, url=self.place.url.update_query_dict(_ALIVE))
        engine = engine_at(lasting, wait=0, poolclass=NullPool)
        try:
            with engine.connect() as connection:
                at_once = connection.execution_options(isolation_level="AUTOCOMMIT")
                turn = _Turn(at_once, self.place, (where, *what), run)
                turn.enter()
                yield turn.require
                turn.leave()
        finally:
            engine.dispose()


class _Turn:
    """A share of the lock of `what`, for one run; any thread may ask whether it is still held."""

    def __init__(self, connection: Connection, place: Place, what: Sequence[str], run: str) -> None:
        self._connection = connection
        self._place = place
        self._numbers = {"what": _number(*what), "run": _number(run) or 1}
        self._one_at_a_time = Lock()
        self._is_lost = False

    def enter(self) -> None:
        """Waits until no other run has a share, and takes one."""
        for name, value in _OF_SESSION.items():
            self._connection.execute(_SET, {"name": name, "value": value})
        began = 0.0
        while not self._entered():
            if not began:
                began = time.monotonic()
                _LOG.info("another process is writing the same; waiting")
            time.sleep(_LOOK)
        if began:
            _LOG.info("waited %.1f s for the other process", time.monotonic() - began)

    def require(self) -> None:
        """Raises DatabaseError if the share was lost; from then on, each time."""
        with self._one_at_a_time:
            if not self._is_lost:
                try:
                    self._is_lost = not self._asked(_MINE)
                except DatabaseError:
                    self._is_lost = True
            if self._is_lost:
                raise DatabaseError(
                    f"{self._place.shown}: the connection that held a lock was lost, expected it until what is locked"
                    " was written; nothing more was written, because others may write now: do it again"
                )

    def leave(self) -> None:
        """Gives the share back; raises as `require` does, for what was written last."""
        self.require()
        self._asked(_LEAVE)

    def _entered(self) -> bool:
        self._asked(_GATE)
        free = not self._asked(_OTHERS)
        if free:
            self._asked(_SHARE)
        self._asked(_OPEN)
        return free

    def _asked(self, statement: TextClause) -> Any:
        return self._connection.execute(statement, self._numbers).scalar()


def _number(*parts: str) -> int:
    """Returns a number of 32 bits. Two questions that share one wait for each other without need."""
    return int.from_bytes(sha256(dumps(parts).encode()).digest()[:4], "big", signed=True)
