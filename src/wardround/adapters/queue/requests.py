"""What became of the requests that a raw message made: their last scores, and their end before one is reached.

A request is one message at a time: `query` is followed by `predict`, and that by `query` again or by `notify`.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select, update

from wardround.adapters.database.tables import STREAM_MESSAGE
from wardround.adapters.queue.message import DONE

_MESSAGE: Final = STREAM_MESSAGE.c
_SCORED: Final = (DONE, "shadow")  # outcomes of `predict` that a score had
# Where another process finishes a message meanwhile, PostgreSQL waits for it, and the next look finds what followed.
_IN_ORDER: Final = ("query", "predict", "query", "predict")


class Requested(NamedTuple):
    """What a raw message (`origin`, its seq) asked of a branch about a visit, by the key that its messages have."""

    origin: int
    branch: str
    key: str


def last_scores(connection: Connection, run: str, origins: Collection[int]) -> dict[tuple[int, str], datetime]:
    """Returns, by origin and branch, the prediction time of the last score of what these raw messages asked for."""
    if not origins:
        return {}
    scored = (_MESSAGE.run == run, _MESSAGE.stage == "predict", _MESSAGE.outcome.in_(_SCORED))
    asked = (
        select(_MESSAGE.origin, _MESSAGE.branch, func.max(_MESSAGE.as_of).label("last"))
        .where(*scored, _MESSAGE.origin.in_(origins), _MESSAGE.as_of.is_not(None))
        .group_by(_MESSAGE.origin, _MESSAGE.branch)
    )
    return {(row.origin, row.branch): row.last for row in connection.execute(asked)}


def end_requests(connection: Connection, run: str, request: Requested, outcome: str, reason: str, now: datetime) -> int:
    """Ends what is not scored yet; returns how many messages that were.

    Who has taken such a message can no longer finish it, so that nothing of it is written.
    """
    return sum(_end(connection, run, request, stage, outcome, reason, now) for stage in _IN_ORDER)


def end_unsaid(connection: Connection, run: str, request: Requested, outcome: str, reason: str, now: datetime) -> int:
    """Ends what is scored, and not written to the record yet; returns how many messages that were.

    A message that somebody has taken may have been written: it is left alone.
    """
    return _end(connection, run, request, "notify", outcome, reason, now)


def _end(connection: Connection, run: str, one: Requested, stage: str, outcome: str, reason: str, now: datetime) -> int:
    ending = (
        update(STREAM_MESSAGE)
        .where(
            _MESSAGE.origin == one.origin,
            _MESSAGE.run == run,
            _MESSAGE.stage == stage,
            _MESSAGE.branch == one.branch,
            _MESSAGE.key == one.key,
            _MESSAGE.outcome.is_(None),
        )
        .values(outcome=outcome, reason=reason, ended=now, taken_until=None)
    )
    if stage == "notify":
        ending = ending.where(_MESSAGE.began.is_(None))
    return connection.execute(ending).rowcount
