"""The stage `notify`: a score in, a RiskAssessment in the record out, and people told if it is high.

Scores and notifications are messages of their own, so that a pager that is down keeps no score from the record. It
sees patient values; it never logs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection

from wardround.adapters.database.notifications import ToldOf, keep_told, last_told
from wardround.adapters.pseudonyms import Pseudonyms
from wardround.adapters.queue.message import DEAD, DONE, LATER, Done, Message, Put
from wardround.adapters.queue.queue import Queue
from wardround.adapters.queue.requests import Requested
from wardround.errors import FhirError
from wardround.fhir.client import FhirClient
from wardround.results import fhir_validity
from wardround.results.alert_policy import Notification, Verdict, verdict
from wardround.results.risk_assessment import Screening, identity
from wardround.settings import Settings
from wardround.spec.loading import load_conditions, load_stream, require_channels
from wardround.stream.asking import as_of_of, name_of
from wardround.stream.bodies import Cancelled, Notice, Scored, for_record, packed
from wardround.stream.branches import Way, ways_of
from wardround.stream.channels.opening import Reach, opened_channels
from wardround.stream.channels.telling import Failed, Refused, Sent, Telling
from wardround.stream.each import DELAYS
from wardround.stream.policies import policy_of
from wardround.stream.recording import Recorder
from wardround.stream.servers import Servers, each_alone
from wardround.stream.stage import StageStopped
from wardround.stream.visit_keys import channel_key, told_key
from wardround.stream.written_before import (
    CANCELLED,
    NOT_SAID,
    UNSURE,
    Before,
    cancel_unsaid,
    is_taken_back,
    scores_of,
)
from wardround.workflows.retract_results import Verdict as Retracted
from wardround.workflows.retract_results import retract_results
from wardround.workflows.stores import model_store

SUSPENDED: Final = "suspended"
CHANGED: Final = "changed"
WITHDRAWN: Final = "withdrawn"
EXPIRED: Final = "expired"
BEING_TOLD: Final = "its notification is being told"
LATE: Final = "late"
WHY: Final = "The admission was cancelled (ADT)."
# How long a channel that failed is left alone, so that others wait for its time-out seldom.
_REST: Final = timedelta(seconds=15)
_TELLING: Final = timedelta(seconds=2)
_SHORTEST, _LONGEST = timedelta(seconds=5), timedelta(minutes=5)
_NOT_SENT: Final = {Verdict.LATE: EXPIRED, Verdict.LOCKED_OUT: "locked_out", Verdict.SUPERSEDED: "superseded"}


@contextmanager
def opened(settings: Settings, queue: Queue) -> Iterator["Notify"]:
    """Gives the stage. Raises SpecError, SettingsError, StorageError or FhirError for what cannot be used: a secret."""
    stream, store = load_stream(settings.stream), model_store(settings)
    conditions = load_conditions(settings.schemas)
    require_channels(conditions, stream, settings.stream)
    ways, servers = ways_of(conditions), Servers.of(stream, settings)

    def is_suspended(condition_id: str) -> bool:
        return store.standing(condition_id).suspended is not None

    fhir_validity.prepare()
    with opened_channels(stream, settings.stream.parent, servers) as channels:
        pseudonyms = Pseudonyms.in_folder(settings.var)
        yield Notify(queue, servers, ways, channels, Recorder(settings), is_suspended, pseudonyms)


class Notify:
    """Writes scores and tells people, one message after the other."""

    name = "notify"
    most = 1
    together = False
    delays = DELAYS

    def __init__(
        self,
        queue: Queue,
        servers: Servers,
        ways: Mapping[str, Way],
        channels: Mapping[str, Reach],
        recorder: Recorder,
        is_suspended: Callable[[str], bool],
        pseudonyms: Pseudonyms,
    ) -> None:
        self._queue = queue
        self._servers = servers
        self._ways = ways
        self._channels = channels
        self._recorder = recorder
        self._is_suspended = is_suspended
        self._pseudonyms = pseudonyms
        self._resting: dict[str, datetime] = {}

    def handle(self, taken: Sequence[Message], now: datetime) -> Iterator[Done]:
        """Yields what became of each message. Raises StageStopped if the only server cannot be used."""
        for message in taken:
            way = self._ways.get(message.branch)
            if way is None:
                yield Done(message, DEAD, f"there is no branch {message.branch}")
            elif not self._servers.has(message.source):
                yield Done(message, DEAD, f"there is no source {message.source}")
            else:
                yield self._handled(message, way, now)

    def _handled(self, message: Message, way: Way, now: datetime) -> Done:
        try:
            return self._done(message, way, now)
        except StageStopped as why:
            return self._servers.later(message, why, now)

    def _done(self, message: Message, way: Way, now: datetime) -> Done:
        match for_record(message.body):
            case Scored() as scored:
                return self._recorded(message, scored, way, now)
            case Notice() as notice:
                return self._told(message, notice, way, now)
            case Cancelled() as cancelled:
                return self._taken_back(message, cancelled, way, now)

    def _recorded(self, message: Message, scored: Scored, way: Way, now: datetime) -> Done:
        # The last check before it is in the record, however long it has waited.
        if self._is_suspended(way.condition.id):
            return Done(message, SUSPENDED)
        # If it is still to be retracted, that comes next, as its key is the same.
        with self._queue.database.reading() as connection:
            if self._is_taken_back(connection, message, message.key, wholly=True):
                return Done(message, CANCELLED)
        as_of = as_of_of(message, way)
        with self._servers.client(message.source) as client:
            screening = self._recorder.screening(way, scored, as_of, client.source)
            (found,) = each_alone(client, [scored], lambda _: [self._recorder.record(scored, screening, client)])
        if isinstance(found, Exception):
            raise found
        if found.is_written:
            late = now - as_of > way.condition.quality.late_after
            return Done(message, DONE, LATE if late else "", self._notices(message, scored, way, screening, now))
        if found.is_withdrawn:
            return Done(message, WITHDRAWN)
        if found.is_changed:
            return Done(message, CHANGED, found.why_not)
        if found.may_pass and message.attempts <= len(DELAYS):
            return Done(message, LATER, found.why_not, due=now + DELAYS[message.attempts - 1])
        return Done(message, DEAD, found.why_not)

    def _notices(
        self, message: Message, scored: Scored, way: Way, screening: Screening, now: datetime
    ) -> tuple[Put, ...]:
        """Returns what people are to be told, if the score is such that they are told at all."""
        name = way.branch.channel
        if name is None:
            return ()
        as_of, policy = screening.as_of, policy_of(way)
        if verdict(scored.score, scored.band, as_of, policy, None, as_of) is not Verdict.NOTIFY:
            return ()
        key = _key(screening, scored.stay_id, name)
        # A channel that is down holds up what else is to be told there of this visit, and nothing more.
        put = message.followed_by(
            "notify",
            channel_key(self._told_key(scored), name),
            packed(Notice(key, scored, message.key)),
            f"{name_of(message, as_of)}:{name}",
            due=now,
            as_of=as_of,
        )
        return (put,)

    def _told(self, message: Message, notice: Notice, way: Way, now: datetime) -> Done:
        name, scored, as_of = way.branch.channel, notice.scored, as_of_of(message, way)
        if name is None or name not in self._channels:
            return Done(message, DEAD, f"there is no channel {name}")
        if self._is_suspended(way.condition.id):
            return Done(message, SUSPENDED)
        reach, of = self._channels[name], ToldOf(self._told_key(scored), way.condition.id, name)
        with self._queue.database.reading() as connection:
            if not self._queue.holds(connection, message):
                return Done(message, LATER, counts=False)  # whoever has it decides
            if self._is_taken_back(connection, message, notice.visit):
                return Done(message, UNSURE, NOT_SAID) if message.lost else Done(message, CANCELLED)
            last = last_told(connection, of)
        decided = verdict(scored.score, scored.band, as_of, policy_of(way, reach.expires), last, now)
        if decided is not Verdict.NOTIFY:
            return Done(message, _NOT_SENT.get(decided, str(decided)))
        if now < self._resting.get(name, now):
            return Done(message, LATER, "the channel failed a moment ago", due=self._resting[name], counts=False)
        became = self._attempt(message, notice, way, reach, now)
        match became:
            case Sent():
                told = partial(keep_told, key=of, notification=Notification(now, as_of, scored.band))
                return Done(message, DONE, "told", state=told)
            case Refused(reason):
                return Done(message, DEAD, f"channel {name}: {reason}")
            case Failed(reason, seconds):
                self._resting[name] = now + max(_REST, timedelta(seconds=seconds))
                due = max(self._resting[name], now + _pause(now - as_of))
                return Done(message, LATER, f"channel {name}: {reason}", due=due, counts=False)

    def _is_taken_back(self, connection: Connection, message: Message, visit: str, wholly: bool = False) -> bool:
        if message.origin is None:
            return False
        return is_taken_back(connection, self._queue.run, Requested(message.origin, message.branch, visit), wholly)

    def _told_key(self, scored: Scored) -> str:
        return told_key(scored.admission.visit.identifier, self._pseudonyms)

    def _attempt(
        self, message: Message, notice: Notice, way: Way, reach: Reach, now: datetime
    ) -> Sent | Refused | Failed:
        screening = self._screening(message, notice.scored, way, as_of_of(message, way))
        telling = Telling(notice.key, message.source, message.branch, notice.scored, screening, now)
        try:
            return reach.channel.tell(telling)
        except FhirError as error:
            return Failed(type(error).__name__)

    def _screening(self, message: Message, scored: Scored, way: Way, as_of: datetime) -> Screening:
        return self._recorder.screening(way, scored, as_of, self._servers.by_source[message.source])

    def _taken_back(self, message: Message, cancelled: Cancelled, way: Way, now: datetime) -> Done:
        """Retracts what was written of a request, which comes before in the order of its key."""
        request = Requested(cancelled.request, message.branch, message.key)
        with self._queue.database.reading() as connection:
            before = scores_of(connection, self._queue.run, request)
        if not before:
            return Done(message, DONE, "nothing was written")
        is_being_told = self._is_being_told(request, before, way, now)
        if any(one.scored is None for one in before):
            return Done(message, DEAD, "the score is no longer stored; retract it by hand")
        with self._servers.client(message.source) as client:
            work = partial(self._retracted, before, cancelled, way, client)
            (found,) = each_alone(client, [message], lambda _: [work()])
        if isinstance(found, Exception):
            raise found
        if is_being_told:
            return Done(message, LATER, BEING_TOLD, due=now + _TELLING, counts=False)
        self._withdraw(message, before, way, now)
        if Retracted.FAILED in found:
            raise RuntimeError("a RiskAssessment was not retracted")
        return Done(message, DONE, ", ".join(sorted({str(one) for one in found})))

    def _is_being_told(self, request: Requested, before: Sequence[Before], way: Way, now: datetime) -> bool:
        """Ends what nobody has begun to tell; returns whether somebody tells the rest, to be withdrawn after that."""
        name = way.branch.channel
        if name is None:
            return False
        keys = {channel_key(self._told_key(one.scored), name) for one in before if one.scored is not None}
        with self._queue.database.writing() as connection:
            return cancel_unsaid(connection, self._queue.run, request, keys, now)

    def _retracted(
        self, before: Sequence[Before], cancelled: Cancelled, way: Way, client: FhirClient
    ) -> list[Retracted]:
        statements = {}
        for scored, as_of in before:
            assert scored is not None
            screening = self._recorder.screening(way, scored, as_of, client.source)
            statements[identity(screening, scored.stay_id)] = (scored.stay_id, scored.score)
        return list(retract_results(statements, client.results, WHY, cancelled.at).values())

    def _withdraw(self, message: Message, before: Sequence[Before], way: Way, now: datetime) -> None:
        name = way.branch.channel
        if name is None or name not in self._channels:
            return
        for scored, as_of in before:
            assert scored is not None
            screening = self._screening(message, scored, way, as_of)
            key = _key(screening, scored.stay_id, name)
            telling = Telling(key, message.source, message.branch, scored, screening, now)
            self._channels[name].channel.withdraw(telling)


def _pause(age: timedelta) -> timedelta:
    """Returns how long to wait before the next attempt: half as long as it has taken so far, within limits."""
    return max(_SHORTEST, min(_LONGEST, age / 2))


def _key(screening: Screening, stay_id: str, channel: str) -> str:
    """Returns the idempotency key of a notification."""
    return sha256(f"{identity(screening, stay_id)}:{channel}".encode()).hexdigest()
