"""Alarms that were raised, and what people said to them: acknowledged, or suspended for a time."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, Update, delete, insert, select, update

from wardround.adapters.database.database import Database
from wardround.adapters.database.inserting import replace_in
from wardround.adapters.database.tables import STREAM_ALARM


@dataclass(frozen=True)
class AlarmRow:
    """An alarm by its name.

    Attributes:
        name: such as oldest:query.
        since: when it was raised; None if it is only suspended.
        pushed: when it was last sent.
        acknowledged: when somebody said that they know; it is then not sent again.
        suspended_until: it is not sent before, whether it is raised or not.
        who: who acknowledged or suspended it.
    """

    name: str
    since: datetime | None
    pushed: datetime | None
    acknowledged: datetime | None
    suspended_until: datetime | None
    who: str

    def is_suspended(self, now: datetime) -> bool:
        return self.suspended_until is not None and self.suspended_until > now


class Settled(NamedTuple):
    """Alarms that are to be sent now, and those that have ended and had been sent."""

    to_push: tuple[AlarmRow, ...]
    ended: tuple[AlarmRow, ...]


def alarms(database: Database) -> list[AlarmRow]:
    """Returns what is raised or suspended. Raises StorageError or DatabaseError."""
    with database.reading() as connection:
        return _rows(connection)


def settle(database: Database, raised: Collection[str], repeat: timedelta, now: datetime) -> Settled:
    """Writes down which alarms are raised now; returns which are to be sent. Raises StorageError or DatabaseError."""
    with database.writing() as connection:
        before = {row.name: row for row in _rows(connection)}
        for name in raised:
            if name not in before:
                connection.execute(insert(STREAM_ALARM), {"name": name, "since": now, "who": ""})
            elif before[name].since is None:
                connection.execute(_change(name).values(since=now, pushed=None, acknowledged=None))
        over = [row for row in before.values() if row.name not in raised and not row.is_suspended(now)]
        connection.execute(delete(STREAM_ALARM).where(STREAM_ALARM.c.name.in_([row.name for row in over])))
        for row in before.values():
            if row.name not in raised and row not in over:
                connection.execute(_change(row.name).values(since=None))
        to_push = tuple(row for row in _rows(connection) if row.name in raised and _is_to_be_sent(row, repeat, now))
    return Settled(to_push, tuple(row for row in over if row.since is not None and row.pushed is not None))


def pushed(database: Database, name: str, now: datetime) -> None:
    """Writes down that an alarm was sent. Raises the same."""
    with database.writing() as connection:
        connection.execute(_change(name).values(pushed=now))


def acknowledge(database: Database, name: str, who: str, now: datetime) -> bool:
    """Writes down that somebody knows of an alarm; returns whether it is raised. Raises the same."""
    with database.writing() as connection:
        known = _change(name).where(STREAM_ALARM.c.since.is_not(None)).values(acknowledged=now, who=who)
        return connection.execute(known).rowcount > 0


def suspend(database: Database, name: str, until: datetime, who: str) -> None:
    """Lets an alarm not be sent before a time, whether it is raised or not. Raises the same."""
    with database.writing() as connection:
        row = {"name": name, "suspended_until": until, "who": who}
        connection.execute(replace_in(connection, STREAM_ALARM, ("suspended_until", "who")), row)


def _change(name: str) -> Update:
    return update(STREAM_ALARM).where(STREAM_ALARM.c.name == name)


def _rows(connection: Connection) -> list[AlarmRow]:
    return [
        AlarmRow(**row) for row in connection.execute(select(STREAM_ALARM).order_by(STREAM_ALARM.c.name)).mappings()
    ]


def _is_to_be_sent(row: AlarmRow, repeat: timedelta, now: datetime) -> bool:
    if row.acknowledged is not None or row.is_suspended(now):
        return False
    return row.pushed is None or row.pushed <= now - repeat
