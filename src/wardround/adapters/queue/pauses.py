"""Stages and sources that somebody has paused, and resumed: while they run, from any machine."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Delete, delete, select

from wardround.adapters.database.database import Database
from wardround.adapters.database.inserting import replace_in
from wardround.adapters.database.tables import STREAM_PAUSE

Kind = Literal["stage", "source"]


@dataclass(frozen=True)
class Pause:
    """A stage that takes nothing, or a source from which nothing is taken in; who wanted it, since when, and why."""

    kind: Kind
    name: str
    since: datetime
    who: str
    why: str


def pauses(database: Database) -> list[Pause]:
    """Returns what is paused. Raises StorageError or DatabaseError."""
    asked = select(STREAM_PAUSE).order_by(STREAM_PAUSE.c.kind, STREAM_PAUSE.c.name)
    with database.reading() as connection:
        return [Pause(**row) for row in connection.execute(asked).mappings()]


def pause(database: Database, wanted: Pause) -> None:
    """Pauses a stage or a source; what was said before of the same one is replaced. Raises the same."""
    with database.writing() as connection:
        connection.execute(replace_in(connection, STREAM_PAUSE, ("since", "who", "why")), vars(wanted))


def resume(database: Database, kind: Kind, name: str) -> bool:
    """Lets a stage or a source go on; returns whether it was paused. Raises the same."""
    with database.writing() as connection:
        return connection.execute(_of(kind, name)).rowcount > 0


def _of(kind: Kind, name: str) -> Delete:
    return delete(STREAM_PAUSE).where(STREAM_PAUSE.c.kind == kind, STREAM_PAUSE.c.name == name)
