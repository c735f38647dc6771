"""Keeps an account of the run folders that were removed, in the caller's transaction."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select

from wardround.adapters.database.inserting import insert_new
from wardround.adapters.database.tables import REMOVED_RUN


class RemovedRun(NamedTuple):
    """A run whose folder was removed: when, and by which rule."""

    run: str
    at: datetime
    why: str


def account_for(connection: Connection, removed: RemovedRun) -> None:
    """Writes that a run was removed, once."""
    connection.execute(insert_new(connection, REMOVED_RUN), removed._asdict())


def removed_runs(connection: Connection) -> list[RemovedRun]:
    """Returns the runs that were removed, the last one first."""
    newest_first = select(REMOVED_RUN).order_by(REMOVED_RUN.c.at.desc(), REMOVED_RUN.c.run)
    return [RemovedRun(**row) for row in connection.execute(newest_first).mappings()]
