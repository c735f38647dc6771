"""Flags stored messages once more, in a database of its own that is thrown away, and compares what is asked for.

Who is flagged depends on all that came before, so that the playback begins with the first message that is stored. It
sees patients' numbers; it never logs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, NamedTuple

from sqlalchemy import func, insert, select

from wardround.adapters.database.database import opened
from wardround.adapters.database.tables import STREAM_BODY, STREAM_MESSAGE
from wardround.adapters.files.scratch import scratch_folder
from wardround.adapters.queue.erasing import ERASED
from wardround.adapters.queue.message import DONE, Put
from wardround.adapters.queue.portions import in_portions
from wardround.adapters.queue.queue import Queue
from wardround.settings import Settings, database_in
from wardround.stream.flag import opened as opened_flag
from wardround.stream.predict import SHADOW
from wardround.stream.raw import STAGE
from wardround.stream.replay import Span

_AT_ONCE: Final = 32
_LEASE: Final = timedelta(hours=1)
_MESSAGE: Final = STREAM_MESSAGE.c
_Row = Any  # of the columns that a query names


class Asked(NamedTuple):
    """A request to score: the raw message, the branch, the visit's key, the prediction time, the body's digest."""

    origin: int
    branch: str
    key: str
    as_of: datetime
    digest: bytes


@dataclass(frozen=True)
class Flags:
    """What was asked for then and now.

    Attributes:
        messages: how many stored messages of the span were flagged again.
        gone: how many are no longer stored, before its end: what came after them may be flagged otherwise.
        erased: how many of these were erased with a patient; what they asked for is not compared.
        same: requests that are equal to the last bit.
        missing: requests of then that are not made now.
        new: requests that are made now and were not then.
    """

    messages: int
    gone: int
    erased: int
    same: int
    missing: int
    new: int


def flagged_again(queue: Queue, settings: Settings, span: Span) -> Flags:
    """Returns how the requests of a span compare. Raises WardroundError."""
    now: set[Asked] = set()
    messages = 0
    with scratch_folder() as folder, opened(database_in(folder)) as database:
        own = Queue(database)
        numbers: dict[int, int] = {}  # of our messages, as the live queue numbers them
        scores = _Scores(queue, own)
        with opened_flag(settings, own) as flag:
            for rows in _raw(queue, span.end):
                for some in scores.before(rows):
                    mine = _put(own, some)
                    numbers |= mine
                    scores.put_as(mine)
                    taken = own.take(STAGE, len(some), _LEASE, some[-1].received, together=True)
                    done = list(flag.handle(taken, some[-1].received))
                    own.finish(done, some[-1].received)
                    messages += sum(one.received >= span.start for one in taken)
                    now |= {
                        _asked(put, numbers)
                        for one in done
                        for put in one.outputs
                        if put.stage == "query" and put.received >= span.start
                    }
    if span.branches:
        now = {one for one in now if one.branch in span.branches}
    then = set(_then(queue, span))
    gone, erased = _gone(queue, span.end)
    return Flags(messages, gone, erased, len(then & now), len(then - now), len(now - then))


class _Scores:
    """Lets the playback know of scores when the live stage knew: who comes back is not asked about again too soon."""

    def __init__(self, live: Queue, own: Queue) -> None:
        self._own = own
        asked = select(_MESSAGE.origin, _MESSAGE.branch, _MESSAGE.key, _MESSAGE.as_of, _MESSAGE.ended).where(
            _MESSAGE.run == live.run, _MESSAGE.stage == "predict", _MESSAGE.outcome.in_((DONE, SHADOW))
        )
        with live.database.reading() as connection:
            self._left = sorted(connection.execute(asked).all(), key=lambda row: row.ended, reverse=True)
        self._ours: dict[int, int] = {}

    def before(self, rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
        """Yields the messages in portions, before each of which the scores of then are known."""
        portion: list[_Row] = []
        for row in rows:
            if self._left and row.began is not None and self._left[-1].ended <= row.began:
                if portion:
                    yield portion
                    portion = []
                self._add(row.began)
            portion.append(row)
        if portion:
            yield portion

    def put_as(self, numbers: Mapping[int, int]) -> None:
        """Keeps by which number of ours each live message was put."""
        self._ours |= {live: own for own, live in numbers.items()}

    def _add(self, until: datetime) -> None:
        rows = []
        while self._left and self._left[-1].ended <= until:
            row = self._left.pop()
            if (origin := self._ours.get(row.origin)) is not None:
                rows.append(_score_row(row, origin))
        if rows:
            with self._own.database.writing() as connection:
                connection.execute(insert(STREAM_MESSAGE), rows)


def _score_row(row: _Row, origin: int) -> dict[str, object]:
    return {
        "run": "",
        "stage": "predict",
        "key": row.key,
        "source": "",
        "branch": row.branch,
        "origin": origin,
        "dedup": f"{origin}:{row.branch}:{row.key}:{row.as_of.isoformat()}",
        "digest": b"",
        "received": row.as_of,
        "as_of": row.as_of,
        "due": row.as_of,
        "attempts": 1,
        "lost": 0,
        "ended": row.ended,
        "outcome": DONE,
        "reason": "",
    }


def _put(own: Queue, rows: Sequence[_Row]) -> dict[int, int]:
    """Stores raw messages in the playback's queue; returns the live number of each by its own."""
    own.put([Put(STAGE, row.key, row.body, row.dedup, row.due, row.received, row.source) for row in rows])
    asked = select(_MESSAGE.seq, _MESSAGE.dedup).where(
        _MESSAGE.stage == STAGE, _MESSAGE.dedup.in_([row.dedup for row in rows])
    )
    live = {row.dedup: row.seq for row in rows}
    with own.database.reading() as connection:
        return {seq: live[dedup] for seq, dedup in connection.execute(asked)}


def _asked(put: Put, numbers: dict[int, int]) -> Asked:
    assert put.origin is not None
    assert put.as_of is not None
    return Asked(numbers[put.origin], put.branch, put.key, put.as_of, sha256(put.body).digest())


def _raw(queue: Queue, end: datetime) -> Iterator[Sequence[_Row]]:
    names = ("seq", "key", "dedup", "due", "received", "source", "began")
    asked = (
        select(*(_MESSAGE[name] for name in names), STREAM_BODY.c.body)
        .join(STREAM_BODY, STREAM_BODY.c.seq == _MESSAGE.seq)
        .where(_MESSAGE.run == queue.run, _MESSAGE.stage == STAGE, _MESSAGE.received < end)
        .where(_MESSAGE.outcome.is_not(None))
    )
    return in_portions(queue, asked, _AT_ONCE)


def _gone(queue: Queue, end: datetime) -> tuple[int, int]:
    """Returns how many messages are no longer stored, and how many of these were erased."""
    asked = (
        select(func.count(), func.count().filter(_MESSAGE.reason == ERASED))
        .select_from(STREAM_MESSAGE)
        .join(STREAM_BODY, STREAM_BODY.c.seq == _MESSAGE.seq, isouter=True)
        .where(_MESSAGE.run == queue.run, _MESSAGE.stage == STAGE, _MESSAGE.received < end, STREAM_BODY.c.seq.is_(None))
    )
    with queue.database.reading() as connection:
        gone, erased = connection.execute(asked).one()
        return int(gone), int(erased)


def _then(queue: Queue, span: Span) -> Iterator[Asked]:
    """Yields what the live stage asked for: of each branch and visit of a message, the first request."""
    asking = STREAM_MESSAGE.alias("asking").c
    raw_erased = select(asking.seq).where(asking.seq == _MESSAGE.origin, asking.reason == ERASED).exists()
    asked = (
        select(_MESSAGE.origin, _MESSAGE.branch, _MESSAGE.key, _MESSAGE.as_of, _MESSAGE.digest)
        .where(_MESSAGE.run == queue.run, _MESSAGE.stage == "query")
        .where(_MESSAGE.received >= span.start, _MESSAGE.received < span.end)
        .where(_MESSAGE.reason != ERASED, ~raw_erased)
        .order_by(_MESSAGE.as_of.desc())
    )
    if span.branches:
        asked = asked.where(_MESSAGE.branch.in_(span.branches))
    with queue.database.reading() as connection:
        first = {(row.origin, row.branch, row.key): row for row in connection.execute(asked)}
    yield from (Asked(*row) for row in first.values())
