"""Keeps what people were last told of a stay, for a condition, through a channel; in the caller's transaction."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select, update

from wardround.adapters.database.tables import NOTIFICATION
from wardround.results.alert_policy import Notification


class ToldOf(NamedTuple):
    """Whom people are told about: a stay by a keyed hash, a condition, and the channel."""

    stay: str
    condition: str
    channel: str


def last_told(connection: Connection, key: ToldOf) -> Notification | None:
    """Returns what people were last told; None for nothing yet."""
    row = NOTIFICATION.c
    found = connection.execute(select(row.at, row.as_of, row.band).where(*_is(key))).one_or_none()
    return None if found is None or found.at is None else Notification(found.at, found.as_of, found.band)


def keep_told(connection: Connection, key: ToldOf, notification: Notification) -> None:
    """Keeps what people are told now, in place of what they were told before."""
    state = {**notification._asdict(), "card": ""}
    if not connection.execute(update(NOTIFICATION).where(*_is(key)).values(state)).rowcount:
        connection.execute(insert(NOTIFICATION), {**key._asdict(), **state})


def _is(key: ToldOf) -> tuple[Any, ...]:
    row = NOTIFICATION.c
    return (row.stay == key.stay, row.condition == key.condition, row.channel == key.channel)
