"""Stored queues: put, taken in order, finished with all that follows; one transaction each, on SQLite and PostgreSQL.

A message is taken for a time, its lease. When that is over, because the process that took it was killed or is stuck, it
is taken again, and the first one can no longer finish it. So its effects on the database happen once (decision 55).
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import takewhile
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, insert, null, or_, select, text, update

from wardround.adapters.database.database import Database
from wardround.adapters.database.inserting import insert_new
from wardround.adapters.database.kept import write_kept
from wardround.adapters.database.tables import STREAM_BODY, STREAM_MESSAGE
from wardround.adapters.queue.message import DEAD, LATER, Done, Message, Put

CORRUPT: Final = "corrupt: the stored message is not what was put, by its digest"

# A lease that ends later than this many leases from now was taken before the clock was set back.
_LEASES_AHEAD: Final = 10
_SUSPECT: Final = 2  # times that whoever took a message did not finish it
_AT_ONCE: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CLAIM_LOCK: Final = 0x57617265  # the first key of PostgreSQL's advisory locks, the second is the stage

_MESSAGE: Final = STREAM_MESSAGE.c
_EARLIER: Final = STREAM_MESSAGE.alias("earlier")
_TAKEN: Final = [_MESSAGE[name] for name in Message._fields if name != "body"]


class Queue:
    """The queues of all stages, of what is live or of one replay; several threads and processes may use them."""

    def __init__(self, database: Database, run: str = "") -> None:
        self.database = database
        self.run = run

    def put(self, puts: Sequence[Put]) -> list[bool]:
        """Stores messages, on disk when it returns; returns for each whether it is new, and False for a repetition.

        Raises StorageError or DatabaseError; then nothing of them is stored.
        """
        with self.database.writing() as connection:
            return [seq is not None for seq in self.put_in(connection, puts)]

    def take(self, stage: str, most: int, lease: timedelta, now: datetime, together: bool = False) -> list[Message]:
        """Takes messages that are due, those put first first, for the time of a lease; this counts as an attempt.

        A message is not taken before the earlier ones of its key are finished; with `together`, it may be taken with
        them. One that was taken twice and not finished is taken alone: it may be what ends the process, and others are
        not to blame. One whose stored body was changed becomes a dead letter. Raises StorageError or DatabaseError.
        """
        ready = self._ready(stage, lease, now, together)
        with self.database.reading() as connection:
            # Nobody who writes waits for a stage that has nothing to do.
            if connection.execute(select(_MESSAGE.seq).where(ready).limit(1)).first() is None:
                return []
        with self.database.writing() as connection:
            self._alone(connection, stage)
            # Two statements: PostgreSQL may ask an inner one again for each row that is open.
            asked = select(_MESSAGE.seq, _MESSAGE.taken_until, _MESSAGE.lost).where(ready)
            chosen = _taken_at_once(connection.execute(asked.order_by(_MESSAGE.seq).limit(most)).all())
            taking = (
                update(STREAM_MESSAGE)
                .where(_MESSAGE.seq.in_(chosen), _open_and_free(lease, now))
                .values(
                    taken_until=now + lease,
                    began=now,
                    # One whose lease is over was never finished: this attempt is in place of that.
                    attempts=_MESSAGE.attempts + case((_MESSAGE.taken_until.is_(None), 1), else_=0),
                    lost=_MESSAGE.lost + case((_MESSAGE.taken_until.is_(None), 0), else_=1),
                )
                .returning(*_TAKEN)
            )
            rows = {row.seq: row for row in connection.execute(taking)}
            bodies = select(STREAM_BODY).where(STREAM_BODY.c.seq.in_(rows)).order_by(STREAM_BODY.c.seq)
            taken = [_message(rows[seq], body) for seq, body in connection.execute(bodies)]
            corrupt = [one for one in taken if sha256(one.body).digest() != one.digest]
            self._finish(connection, [Done(one, DEAD, CORRUPT) for one in corrupt], now)
            return [one for one in taken if one not in corrupt]

    def finish(self, done: Sequence[Done], now: datetime) -> list[bool]:
        """Writes what became of messages with all that follows, in one transaction.

        Returns for each whether it was written: not if somebody else has taken the message meanwhile. Raises
        StorageError or DatabaseError, and what `state` raises; then nothing is written.
        """
        with self.database.writing() as connection:
            return self._finish(connection, done, now)

    def put_back(self, messages: Iterable[Message], now: datetime, reason: str = "") -> None:
        """Lets messages be taken again, as if they had not been taken. Raises StorageError or DatabaseError."""
        self.finish([Done(one, LATER, reason, counts=False) for one in messages], now)

    def extend(self, messages: Iterable[Message], lease: timedelta, now: datetime) -> None:
        """Extends the leases of messages that nobody else has taken meanwhile. Raises StorageError or DatabaseError."""
        rows = [{"of": one.seq, "since": one.began} for one in messages]
        if rows:
            extending = update(STREAM_MESSAGE).where(_held()).values(taken_until=now + lease)
            with self.database.writing() as connection:
                connection.execute(extending, rows)

    def holds(self, connection: Connection, message: Message) -> bool:
        """Returns whether nobody else has taken the message meanwhile, so that it can still be finished."""
        held = select(_MESSAGE.seq).where(_held())
        return connection.execute(held, {"of": message.seq, "since": message.began}).first() is not None

    def put_in(self, connection: Connection, puts: Sequence[Put], now: datetime | None = None) -> list[int | None]:
        """Stores messages in the caller's transaction; returns the number of each, and None for a repetition.

        Without `now`, what is due at its receipt is due at once.
        """
        if not puts:
            return []
        adding = insert_new(connection, STREAM_MESSAGE).returning(_MESSAGE.seq, _MESSAGE.stage, _MESSAGE.dedup)
        rows = [self._row(one, now or one.received) for one in puts]
        new = {(stage, dedup): seq for seq, stage, dedup in connection.execute(adding, rows)}
        numbers = [new.pop((one.stage, one.dedup), None) for one in puts]
        bodies = [{"seq": seq, "body": one.body} for seq, one in zip(numbers, puts, strict=True) if seq is not None]
        if bodies:
            connection.execute(insert(STREAM_BODY), bodies)
        return numbers

    def _row(self, put: Put, now: datetime) -> dict[str, Any]:
        facts = put._asdict()
        body = facts.pop("body")
        own = {"run": self.run, "digest": sha256(body).digest(), "due": _stored_due(put.due, now)}
        return {**facts, **own, "attempts": 0, "lost": 0, "waits": 0, "reason": ""}

    def _finish(self, connection: Connection, done: Sequence[Done], now: datetime) -> list[bool]:
        if not done:
            return []
        held = self._held_of(connection, [one.message for one in done])
        mine = [one for one in done if one.message.seq in held]
        if mine:
            connection.execute(_FINISHING, [_finished(one, now) for one in mine])
        write_kept(connection, {place: row for one in mine for place, row in one.kept.items()})
        self._put_what_follows(connection, mine, now)
        return [one.message.seq in held for one in done]

    def _put_what_follows(self, connection: Connection, done: Sequence[Done], now: datetime) -> None:
        puts: list[Put] = []
        for one in done:
            if one.state is not None:
                # It may end what an earlier message of the same transaction has put.
                self.put_in(connection, puts, now)
                puts.clear()
                one.state(connection)
            puts += one.outputs
        self.put_in(connection, puts, now)

    def _held_of(self, connection: Connection, messages: Sequence[Message]) -> set[int]:
        began = {one.seq: one.began for one in messages}
        asked = select(_MESSAGE.seq, _MESSAGE.began).where(
            _MESSAGE.seq.in_(began), _MESSAGE.outcome.is_(None), _MESSAGE.taken_until.is_not(None)
        )
        locked = asked.order_by(_MESSAGE.seq).with_for_update()  # in SQLite, a transaction that writes is alone
        return {seq for seq, since in connection.execute(locked) if since == began[seq]}

    def _alone(self, connection: Connection, stage: str) -> None:
        """Waits until nobody else takes messages of this stage. In SQLite, a transaction that writes is alone."""
        if connection.dialect.name == "postgresql":
            locking = text("select pg_advisory_xact_lock(:lock, hashtext(:stage))")
            connection.execute(locking, {"lock": _CLAIM_LOCK, "stage": f"{self.run}:{stage}"})

    def _ready(self, stage: str, lease: timedelta, now: datetime, together: bool) -> ColumnElement[bool]:
        free = _free(STREAM_MESSAGE.c, lease, now)
        earlier = _EARLIER.c
        blocks = or_(earlier.due <= now, earlier.began.is_not(None))
        if together:
            blocks = and_(blocks, or_(earlier.due > now, ~_free(earlier, lease, now)))
        # As a value instead of NOT EXISTS: PostgreSQL would join all that is open with itself.
        blocking = (
            select(earlier.seq)
            .where(
                earlier.run == _MESSAGE.run,
                earlier.stage == _MESSAGE.stage,
                earlier.key == _MESSAGE.key,
                earlier.outcome.is_(None),
                earlier.seq < _MESSAGE.seq,
                blocks,
            )
            .correlate(STREAM_MESSAGE)
            .order_by(earlier.seq)
            .limit(1)
            .scalar_subquery()
        )
        mine = and_(_MESSAGE.run == self.run, _MESSAGE.stage == stage, _MESSAGE.outcome.is_(None))
        return and_(mine, _MESSAGE.due <= now, free, blocking.is_(None))


def _free(column: Any, lease: timedelta, now: datetime) -> ColumnElement[bool]:
    until = column.taken_until
    return or_(until.is_(None), until <= now, until > now + _LEASES_AHEAD * lease)


def _taken_at_once(ready: Sequence[Any]) -> list[int]:
    """Returns the numbers of the first messages, up to one that is lost for the second time; or of that one alone."""
    unsuspected = takewhile(lambda one: one.lost + (one.taken_until is not None) < _SUSPECT, ready)
    return [one.seq for one in unsuspected] or [one.seq for one in ready[:1]]


def _open_and_free(lease: timedelta, now: datetime) -> ColumnElement[bool]:
    return and_(_MESSAGE.outcome.is_(None), _free(_MESSAGE, lease, now))


def _held() -> ColumnElement[bool]:
    mine = and_(_MESSAGE.seq == bindparam("of"), _MESSAGE.began == bindparam("since"))
    return and_(mine, _MESSAGE.outcome.is_(None), _MESSAGE.taken_until.is_not(None))


_FINISHING: Final = (
    update(STREAM_MESSAGE)
    .where(_MESSAGE.seq == bindparam("of"))
    .values(
        outcome=bindparam("became"),
        ended=bindparam("at"),
        reason=bindparam("because"),
        due=bindparam("next"),
        taken_until=null(),
        attempts=_MESSAGE.attempts - bindparam("uncounted"),
        waits=_MESSAGE.waits + bindparam("waited"),
    )
)


def _finished(done: Done, now: datetime) -> dict[str, Any]:
    ends = done.outcome != LATER
    return {
        "of": done.message.seq,
        "became": done.outcome if ends else None,
        "at": now if ends else None,
        "because": done.reason,
        "next": _stored_due(done.due or done.message.due, now),
        "uncounted": 0 if done.counts and not done.waits else 1,
        "waited": 1 if done.waits else 0,
    }


def _stored_due(due: datetime, now: datetime) -> datetime:
    """Returns the same for all that is due at once: if the clock is set back, it is still due, in the same order."""
    return _AT_ONCE if due <= now else due


def _message(row: Any, body: bytes) -> Message:
    facts = dict(row._mapping)
    facts["due"] = max(facts["due"], facts["received"])
    return Message(**facts, body=body)
