"""What the database says of a stream that was measured: what waits, in which order it ended, and how scores fared."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import and_, func, or_, select

from wardround.adapters.database.database import Database
from wardround.adapters.database.tables import STREAM_MESSAGE
from wardround.adapters.queue.figures import waiting
from wardround.adapters.queue.queue import Queue

_MESSAGE = STREAM_MESSAGE.c
_SOON = timedelta(minutes=2)  # the branch's later times come after hours
_PATIENCE = 600.0  # seconds
_TAKEN_BACK = ("cancelled", "discharged")
"""Outcomes whose reason is the number of a message."""


class Waiting(NamedTuple):
    """How many messages are due and open, and how many seconds the oldest of them has waited."""

    messages: int
    oldest: float


class Scores(NamedTuple):
    """What became of those who were flagged, once each.

    Attributes:
        asked: flagged, and read once at least.
        took: of each that got a probability, the seconds from the prediction's due time to its end in `notify`.
        otherwise: why others got none, with counts.
    """

    asked: int
    took: list[float]
    otherwise: Counter[str]


def now_waiting(database: Database) -> Waiting:
    """Returns what waits in all stages."""
    now = datetime.now(UTC)
    stages = waiting(Queue(database), now).values()
    oldest = max((now - one.oldest for one in stages if one.oldest), default=timedelta())
    return Waiting(sum(one.due for one in stages), oldest.total_seconds())


def drained(database: Database) -> None:
    """Waits until nothing waits but for the later times of its branch. Raises RuntimeError if that takes too long."""
    asked = select(func.min(_MESSAGE.due)).where(_MESSAGE.outcome.is_(None))
    give_up = time.monotonic() + _PATIENCE
    while time.monotonic() < give_up:
        with database.reading() as connection:
            due = connection.execute(asked).scalar()
        if due is None or due > datetime.now(UTC) + _SOON:
            return
        time.sleep(0.1)
    raise RuntimeError(f"not drained within {_PATIENCE:.0f} s: {now_waiting(database)}")


def stored(database: Database) -> int:
    """Returns how many messages were taken in."""
    with database.reading() as connection:
        asked = select(func.count()).where(_MESSAGE.stage == "flag")
        return int(connection.execute(asked).scalar_one())


def out_of_order(database: Database) -> int:
    """Returns how many messages ended before an earlier one of their stage and key.

    A prediction of a later time is no later message: it is put when the earlier one has ended.
    """
    earlier = func.lag(_MESSAGE.ended).over(partition_by=(_MESSAGE.stage, _MESSAGE.key), order_by=_MESSAGE.seq)
    ends = select(_MESSAGE.ended.label("ended"), earlier.label("earlier")).where(_MESSAGE.ended.is_not(None)).subquery()
    with database.reading() as connection:
        return int(connection.execute(select(func.count()).where(ends.c.ended < ends.c.earlier)).scalar_one())


def scores(database: Database) -> Scores:
    """Returns how those fared who were flagged, at the first time of the branch."""
    columns = (_MESSAGE.origin, _MESSAGE.stage, _MESSAGE.outcome, _MESSAGE.reason, _MESSAGE.as_of, _MESSAGE.ended)
    of_scores = and_(_MESSAGE.stage == "notify", ~_MESSAGE.dedup.endswith(":ward"))  # the rest are notifications
    wanted = or_(_MESSAGE.stage.in_(("query", "predict")), of_scores)
    asked = select(*columns).where(_MESSAGE.ended.is_not(None), wanted, _MESSAGE.as_of.is_not(None))
    with database.reading() as connection:
        rows = connection.execute(asked.order_by(_MESSAGE.seq)).all()
    took = {
        row.origin: (row.ended - row.as_of).total_seconds()
        for row in rows
        if row.stage == "notify" and row.outcome == "done"
    }
    last = {row.origin: row.outcome if row.outcome in _TAKEN_BACK else row.reason or row.outcome for row in rows}
    return Scores(len(last), list(took.values()), Counter(why for one, why in last.items() if one not in took))
