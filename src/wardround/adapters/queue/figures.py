"""What waits in the queues, and what became of messages in a time: counts and times, for status, metrics and alarms."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, case, func, select

from wardround.adapters.database.tables import STREAM_MESSAGE
from wardround.adapters.queue.message import DEAD
from wardround.adapters.queue.queue import Queue

_MESSAGE = STREAM_MESSAGE.c


@dataclass(frozen=True)
class Waiting:
    """The open messages of a stage.

    Attributes:
        due: how many could be handled now, or are being handled.
        planned: how many are not due yet: another attempt, or a time that a branch names.
        oldest: since when the one that has waited longest is due; None if none is.
    """

    due: int = 0
    planned: int = 0
    oldest: datetime | None = None


class Ended(NamedTuple):
    """A message that has ended: what became of it, and its times in seconds.

    Attributes:
        outcome: done, dead, late, …
        seconds: from its last taking to its end.
        total: from as_of, or from the receipt where there is none, to its end.
    """

    stage: str
    outcome: str
    seconds: float
    total: float


def waiting(queue: Queue, now: datetime) -> dict[str, Waiting]:
    """Returns the open messages by stage. Raises StorageError or DatabaseError."""
    # What is due at once has no time of its own in `due` (queue.py).
    since = case((_MESSAGE.due > _begin(), _MESSAGE.due), else_=_begin())
    is_due = _MESSAGE.due <= now
    asked = (
        select(_MESSAGE.stage, is_due, func.count(), func.min(since))
        .where(_MESSAGE.run == queue.run, _MESSAGE.outcome.is_(None))
        .group_by(_MESSAGE.stage, is_due)
    )
    found: dict[str, dict[bool, tuple[int, datetime]]] = defaultdict(dict)
    with queue.database.reading() as connection:
        for stage, due, count, oldest in connection.execute(asked):
            found[stage][bool(due)] = (count, oldest)
    return {
        stage: Waiting(
            due=counts.get(True, (0,))[0],
            planned=counts.get(False, (0,))[0],
            oldest=counts[True][1] if True in counts else None,
        )
        for stage, counts in found.items()
    }


def dead_letters(queue: Queue) -> dict[str, int]:
    """Returns the number of dead letters by stage. Raises StorageError or DatabaseError."""
    return _counted(queue, _MESSAGE.outcome == DEAD)


def ended(queue: Queue, stage: str, since: datetime, until: datetime) -> Iterator[Ended]:
    """Yields what has ended in a stage from `since` until before `until`. Raises StorageError or DatabaseError."""
    columns = (_MESSAGE.outcome, _MESSAGE.began, _MESSAGE.ended, _MESSAGE.as_of, _MESSAGE.received)
    asked = select(*columns).where(
        _MESSAGE.run == queue.run, _MESSAGE.stage == stage, _MESSAGE.ended >= since, _MESSAGE.ended < until
    )
    with queue.database.reading() as connection:
        for outcome, began, end, as_of, received in connection.execute(asked.execution_options(yield_per=1_000)):
            yield Ended(
                stage, outcome, (end - (began or end)).total_seconds(), (end - (as_of or received)).total_seconds()
            )


def stuck(queue: Queue, before: datetime) -> dict[str, dict[str, int]]:
    """Returns how many messages are open that could be handled before a time, and have been tried, by stage and reason.

    The reason is that of the last attempt; "" for none. Raises StorageError or DatabaseError.
    """
    tried = (_MESSAGE.outcome.is_(None), _MESSAGE.began.is_not(None), _begin() < before)
    asked = select(_MESSAGE.stage, _MESSAGE.reason, func.count()).where(_MESSAGE.run == queue.run, *tried)
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    with queue.database.reading() as connection:
        for stage, reason, count in connection.execute(asked.group_by(_MESSAGE.stage, _MESSAGE.reason)):
            found[stage][reason] = count
    return dict(found)


def last_received(queue: Queue) -> dict[str, datetime]:
    """Returns when each source's last message was received. Raises StorageError or DatabaseError."""
    found, last = dict[str, datetime](), ""
    with queue.database.reading() as connection:
        # One source after the other: a GROUP BY would read the accounts of all messages that there ever were.
        while source := connection.execute(select(func.min(_MESSAGE.source)).where(_MESSAGE.source > last)).scalar():
            latest = select(func.max(_MESSAGE.received)).where(_MESSAGE.source == source)
            found[source] = connection.execute(latest).scalar_one()
            last = source
    return found


def _begin() -> ColumnElement[datetime]:
    """The time from which a message counts as waiting: of what follows for a later time of a branch, that time."""
    return case((_MESSAGE.as_of > _MESSAGE.received, _MESSAGE.as_of), else_=_MESSAGE.received)


def _counted(queue: Queue, *which: ColumnElement[bool]) -> dict[str, int]:
    asked = select(_MESSAGE.stage, func.count()).where(_MESSAGE.run == queue.run, *which).group_by(_MESSAGE.stage)
    with queue.database.reading() as connection:
        return {str(stage): int(count) for stage, count in connection.execute(asked)}
