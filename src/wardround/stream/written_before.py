"""Finds in the queue what a request has put for the record, to take it back; in the caller's transaction."""

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, or_, select, update

from wardround.adapters.database.tables import STREAM_BODY, STREAM_MESSAGE
from wardround.adapters.queue.message import DEAD, DONE
from wardround.adapters.queue.requests import Requested
from wardround.stream.bodies import Scored, for_record
from wardround.stream.visit_keys import channel_key

CANCELLED: Final = "cancelled"
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


def cancel_unsaid(connection: Connection, run: str, request: Requested, channel: str, now: datetime) -> None:
    """Ends what is still to be told of a request, unless somebody is about to tell it."""
    mine = (_MESSAGE.key == channel_key(request.key, channel), _MESSAGE.outcome.is_(None))
    free = or_(_MESSAGE.taken_until.is_(None), _MESSAGE.taken_until <= now)
    ending = update(STREAM_MESSAGE).where(*_for_record(run, request), *mine, free)
    connection.execute(ending.values(outcome=CANCELLED, ended=now, taken_until=None))


def _for_record(run: str, request: Requested) -> tuple[ColumnElement[bool], ...]:
    return (
        _MESSAGE.run == run,
        _MESSAGE.stage == "notify",
        _MESSAGE.origin == request.origin,
        _MESSAGE.branch == request.branch,
    )
