"""Keeps in Wardround's own database what the door shows and hears, and for how long (decision 53).

An answer waits for the database for a fraction of a second at most: the work is done in a thread of its own, and what
is not done in time is undone. After a failure the database is left alone for some seconds, so that calls do not wait
for it one after the other. It sees comments of clinicians; it never logs.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from threading import Event
from time import monotonic
from typing import Final, TypeVar

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.exc import SQLAlchemyError

from wardround.adapters.database.bedside_removal import purge
from wardround.adapters.database.database import Database
from wardround.adapters.database.inserting import insert_into, insert_new, replace_in
from wardround.adapters.database.notifications import ToldOf, keep_told
from wardround.adapters.database.tables import BEDSIDE_CARD, BEDSIDE_COMMENT, BEDSIDE_FEEDBACK, NOTIFICATION
from wardround.cds.exchange import Answer, Call, Heard
from wardround.cds.keeping import Feedback, Shown, StayKey, Told
from wardround.errors import DatabaseError, StorageError
from wardround.results.alert_policy import Notification

WITHIN: Final = 0.5
"""How many seconds an answer waits for the database at most."""
_REST: Final = 5.0  # seconds without an attempt after one that failed
_PURGED_EVERY: Final = timedelta(hours=1)
# Longer than any lock-out; after that, people are told again in any case.
_NOTIFICATIONS_KEPT: Final = timedelta(days=180)
_STATE: Final = ("at", "as_of", "band", "card")
# Made once: making a statement takes longer than running it.
_OF_STAY: Final = (
    NOTIFICATION.c.stay == bindparam("of_stay"),
    NOTIFICATION.c.condition == bindparam("of_condition"),
    NOTIFICATION.c.channel == bindparam("of_channel"),
)
_LAST_SHOWN: Final = select(*(NOTIFICATION.c[name] for name in _STATE)).where(*_OF_STAY).with_for_update()
_OF_CALLS: Final = [column.name for column in BEDSIDE_CARD.columns if column.name != "uuid"]

T = TypeVar("T")


@contextmanager
def keeping_in(database: Database, kept_for: timedelta, within: float = WITHIN) -> Iterator["KeptInDatabase"]:
    """Gives what keeps calls and feedback in a database, for as long as `kept_for`, and waits `within` seconds for it.

    At the end of the block it finishes what it has begun.
    """
    with database.hurried(within / 2) as hurried, ThreadPoolExecutor(1, "cds-keeping") as thread:
        yield KeptInDatabase(hurried, thread, kept_for, within)


class KeptInDatabase:
    """The cards, lock-outs and feedback of all workers; several threads may call it.

    Every method raises DatabaseError or StorageError if the database could not be used in time; then nothing is kept.
    """

    def __init__(self, database: Database, thread: ThreadPoolExecutor, kept_for: timedelta, within: float) -> None:
        self._database = database
        self._thread = thread
        self._kept_for = kept_for
        self._within = within
        self._resting_until = float("-inf")
        self._purged = datetime.min.replace(tzinfo=UTC)

    def told(self, stay: StayKey, answer: Callable[[Shown | None], Told]) -> Answer:
        """Gives `answer` what people were last told of the stay, keeps and returns what it returns, all or nothing.

        Nobody else tells of the same stay in between, in this process or another.
        """

        def work(connection: Connection) -> Answer:
            told = answer(_last_shown(connection, stay))
            call = told.answer.call
            assert call is not None
            if told.notification is not None:
                keep_told(connection, ToldOf(*stay), told.notification, call.card)
            _keep_card(connection, call)
            return told.answer

        answered = self._in_time(work)
        assert answered.call is not None
        self._purge_now_and_then(answered.call.at)
        return answered

    def kept(self, call: Call) -> None:
        """Keeps a call whose card tells nobody of a new risk."""
        self._in_time(lambda connection: _keep_card(connection, call))
        self._purge_now_and_then(call.at)

    def heard(self, feedback: Sequence[Feedback], condition: str, arrived: datetime) -> Heard:
        """Keeps feedback, and the comments on cards that are known; returns how much of it is about known cards.

        What was kept before, word for word, is kept once: an EHR may send it again.
        """

        def work(connection: Connection) -> Heard:
            known = _known(connection, {one.card for one in feedback})
            _keep_feedback(connection, feedback, condition, arrived)
            _keep_comments(connection, [one for one in feedback if one.comment and one.card in known])
            about_known = sum(one.card in known for one in feedback)
            return Heard(about_known, len(feedback) - about_known)

        heard = self._in_time(work)
        self._purge_now_and_then(arrived)
        return heard

    def _in_time(self, work: Callable[[Connection], T]) -> T:
        """Returns what `work` returns, whose transaction is then committed."""
        self._require_rested()
        given_up = Event()
        job = self._thread.submit(self._transaction, work, given_up)
        try:
            return job.result(self._within)
        except TimeoutError:
            given_up.set()
            job.cancel()
            raise self._failed(f"no answer within {self._within} s") from None

    def _transaction(self, work: Callable[[Connection], T], given_up: Event) -> T:
        self._require_rested()
        try:
            with self._database.writing() as connection:
                done = work(connection)
                # The call has been answered without it. Only a commit that hangs can still come too late.
                if given_up.is_set():
                    raise self._failed("too late")
                return done
        except SQLAlchemyError as error:  # its message may quote values
            raise self._failed(type(error).__name__) from None
        except (DatabaseError, StorageError):
            self._rest()
            raise

    def _require_rested(self) -> None:
        if monotonic() < self._resting_until:
            raise self._error("could not be used a moment ago")

    def _failed(self, why: str) -> DatabaseError:
        self._rest()
        return self._error(why)

    def _rest(self) -> None:
        self._resting_until = monotonic() + _REST

    def _error(self, why: str) -> DatabaseError:
        return DatabaseError(
            f"{self._database.place.shown}: {why}, expected Wardround's database; check that it is running"
        )

    def _purge_now_and_then(self, now: datetime) -> None:
        """Removes what is too old, in a transaction of its own for which no answer waits."""
        if now - self._purged >= _PURGED_EVERY:
            self._purged = now
            self._thread.submit(self._purge, now)

    def _purge(self, now: datetime) -> None:
        # What cannot be removed now is removed the next time.
        with suppress(DatabaseError, StorageError, SQLAlchemyError), self._database.writing() as connection:
            purge(connection, now - self._kept_for, now - _NOTIFICATIONS_KEPT)


def _last_shown(connection: Connection, stay: StayKey) -> Shown | None:
    """Returns what people were last told. Until the transaction ends, nobody else gets an answer about the stay."""
    if connection.dialect.name == "postgresql":
        # A row that is not there cannot be locked. In SQLite the whole database is.
        connection.execute(insert_new(connection, NOTIFICATION), _row_of(stay))
    found = connection.execute(_LAST_SHOWN, _of(stay)).one_or_none()
    if found is None or found.at is None:
        return None
    return Shown(Notification(found.at, found.as_of, found.band), found.card)


def _row_of(stay: StayKey) -> dict[str, str]:
    return {"stay": stay.key, "condition": stay.condition, "channel": stay.channel}


def _of(stay: StayKey) -> dict[str, str]:
    return {f"of_{name}": value for name, value in _row_of(stay).items()}


def _keep_card(connection: Connection, call: Call) -> None:
    row = {"uuid": call.card, **{name: getattr(call, name) for name in _OF_CALLS}}
    connection.execute(insert_into(connection, BEDSIDE_CARD), row)


def _known(connection: Connection, cards: set[str]) -> set[str]:
    uuid = BEDSIDE_CARD.c.uuid
    return set(connection.execute(select(uuid).where(uuid.in_(cards))).scalars())


def _keep_feedback(connection: Connection, feedback: Sequence[Feedback], condition: str, arrived: datetime) -> None:
    rows = [
        {
            "id": _id_of(one),
            "card": one.card,
            "condition": condition,
            "outcome": one.outcome,
            "reason_system": _text((one.reason or ("", ""))[0]),
            "reason_code": _text((one.reason or ("", ""))[1]),
            "suggestions": _text(json.dumps(one.suggestions)),
            "at": one.at,
            "arrived": arrived,
        }
        for one in feedback
    ]
    connection.execute(insert_new(connection, BEDSIDE_FEEDBACK), rows)


def _keep_comments(connection: Connection, feedback: Sequence[Feedback]) -> None:
    rows = [{"feedback": _id_of(one), "comment": _text(one.comment)} for one in feedback]
    if rows:
        connection.execute(replace_in(connection, BEDSIDE_COMMENT, ("comment",)), rows)


def _id_of(feedback: Feedback) -> str:
    """Returns what is equal for feedback that is sent again, and for no other. The comment is no part of it."""
    at = feedback.at.astimezone(UTC).isoformat()
    parts = [feedback.card, feedback.outcome, feedback.reason, feedback.suggestions, at]
    return sha256(json.dumps(parts).encode()).hexdigest()


def _text(given: str) -> str:
    # PostgreSQL stores no NUL.
    return given.replace("\0", "\N{REPLACEMENT CHARACTER}")
