"""Finds in the queue what a request has put for the record, to take it back; in the caller's transaction."""

from collections.abc import Collection
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, case, select, update

from wardround.adapters.database.tables import STREAM_BODY, STREAM_MESSAGE
from wardround.adapters.queue.message import DEAD, DONE
from wardround.adapters.queue.requests import Requested
from wardround.stream.bodies import Scored, for_record

CANCELLED: Final = "cancelled"
UNSURE: Final = "unsure"
"""What was to be told is taken back, and somebody may have told it."""
NOT_SAID: Final = "the process that told it ended before it said so"
_MESSAGE: Final = STREAM_MESSAGE.c


class Before(NamedTuple):
    """A score that was for the record; None if its body is no longer stored."""

    scored: Scored | None
    as_of: datetime


def scores_of(connection: Connection, run: str, request: Requested) -> list[Before]:
    """Returns the scores of a request that were written, or that may have been before they became dead letters."""
    asked = (
        select(_MESSAGE.as_of, STREAM_BODY.c.body)
        .join(STREAM_BODY, STREAM_BODY.c.seq == _MESSAGE.seq, isouter=True)
        .where(*_for_record(run, request), _MESSAGE.key == request.key, _MESSAGE.outcome.in_((DONE, DEAD)))
        .order_by(_MESSAGE.seq)
    )
    found = []
    for as_of, body in connection.execute(asked):
        what = None if body is None else for_record(body)
        if what is None or isinstance(what, Scored):
            found.append(Before(what, as_of))
    return found


def is_taken_back(connection: Connection, run: str, request: Requested, wholly: bool = False) -> bool:
    """Returns whether a message has taken a request back; with `wholly`, whether the record was looked at for it.

    What is handled later all the same, such as a dead letter that somebody retries, must not get there any more.
    """
    mine = (*_for_record(run, request), _MESSAGE.key == request.key, _MESSAGE.as_of.is_(None))
    asked = select(_MESSAGE.seq).where(*mine, *([_MESSAGE.outcome.is_not(None)] if wholly else []))
    return connection.execute(asked.limit(1)).first() is not None


def cancel_unsaid(connection: Connection, run: str, request: Requested, keys: Collection[str], now: datetime) -> bool:
    """Ends what is still to be told of a request under these keys; returns whether some of it is being told.

    What somebody has taken may have been sent, even if the lease is over: who has it or takes it next says what became
    of it. What is ended here can no longer be taken.
    """
    mine = (*_for_record(run, request), _MESSAGE.key.in_(keys), _MESSAGE.outcome.is_(None))
    ending = update(STREAM_MESSAGE).where(*mine, _MESSAGE.taken_until.is_(None))
    was_lost = _MESSAGE.lost > 0
    became = {
        "outcome": case((was_lost, UNSURE), else_=CANCELLED),
        "reason": case((was_lost, NOT_SAID), else_=_MESSAGE.reason),
    }
    connection.execute(ending.values(**became, ended=now))
    return connection.execute(select(_MESSAGE.seq).where(*mine).limit(1)).first() is not None


def _for_record(run: str, request: Requested) -> tuple[ColumnElement[bool], ...]:
    return (
        _MESSAGE.run == run,
        _MESSAGE.stage == "notify",
        _MESSAGE.origin == request.origin,
        _MESSAGE.branch == request.branch,
    )
