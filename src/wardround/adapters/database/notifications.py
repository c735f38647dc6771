"""Keeps what people were last told of a stay, for a condition, through a channel; in the caller's transaction."""

from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, delete, select

from wardround.adapters.database.inserting import replace_in
from wardround.adapters.database.tables import NOTIFICATION
from wardround.results.alert_policy import Notification

_STATE: Final = ("at", "as_of", "band", "card")


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


def keep_told(connection: Connection, key: ToldOf, notification: Notification, card: str = "") -> None:
    """Keeps what people are told now, by this card if there is one, in place of what they were told before."""
    row = {**key._asdict(), **notification._asdict(), "card": card}
    connection.execute(replace_in(connection, NOTIFICATION, _STATE), row)


def forget_told(connection: Connection, before: datetime) -> int:
    """Removes what was told before a time without a card, as the stream does; returns how many rows that were."""
    row = NOTIFICATION.c
    return connection.execute(delete(NOTIFICATION).where(row.at < before, row.card == "")).rowcount


def _is(key: ToldOf) -> tuple[Any, ...]:
    row = NOTIFICATION.c
    return (row.stay == key.stay, row.condition == key.condition, row.channel == key.channel)
