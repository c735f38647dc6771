"""The stage `flag`: a raw message in; where visits lie, and whom each branch is asked about, out.

It takes messages in the order of their receipt, whatever visit they are about: a merge or a swap touches two. States,
requests and ends of requests are written in the transaction that finishes the message. It sees patients' numbers; it
never logs.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from wardround.adapters.database.visits import Keys, kept, known_of
from wardround.adapters.pseudonyms import Pseudonyms
from wardround.adapters.queue.message import DEAD, Done, Message, Put
from wardround.adapters.queue.queue import Queue
from wardround.adapters.queue.requests import Requested, end_requests, end_unsaid, last_scores
from wardround.adt.admissions import Admission, Ending, Watch
from wardround.adt.effects import EFFECTS, Effect
from wardround.adt.feed import feed_of
from wardround.adt.known import Kind, Known, Name
from wardround.adt.transitions import Change, changes, names_in
from wardround.core.identifier import Identifier
from wardround.hl7.reader import Hl7Message, read
from wardround.hl7.refused import Hl7Error
from wardround.settings import Settings
from wardround.spec.base import format_duration
from wardround.spec.loading import load_conditions, load_stream
from wardround.spec.stream import StreamSource
from wardround.stream import bodies
from wardround.stream.bodies import Cancelled, Number, packed
from wardround.stream.branches import Way, ways_of
from wardround.stream.visit_keys import keys_of, request_key, require_same_key

_RETURNS = (Effect.CANCELS_TRANSFER, Effect.CANCELS_DISCHARGE)


@contextmanager
def opened(settings: Settings, queue: Queue) -> Iterator["Flag"]:
    """Gives the stage. Raises SpecError, StorageError, DatabaseError; SettingsError if the key of the hashes is new."""
    sources = load_stream(settings.stream).sources
    pseudonyms = Pseudonyms.in_folder(settings.var)
    require_same_key(queue, sources, pseudonyms, settings.var)
    yield Flag(queue, sources, ways_of(load_conditions(settings.schemas)), pseudonyms)


def watches_of(ways: Mapping[str, Way]) -> dict[str, Watch]:
    """Returns whom the branches watch."""
    return {name: Watch(way.branch, way.condition.lock_out) for name, way in ways.items()}


@dataclass(frozen=True)
class _Taken:
    """A message, read; or why it cannot be."""

    message: Message
    read: Hl7Message | None
    refusal: str = ""


class Flag:
    """Keeps the states of visits, and asks branches to score who was newly admitted."""

    name = "flag"
    most = 32
    together = True
    delays: Sequence[timedelta] = ()  # the same message would fail again, and the whole feed would wait

    def __init__(
        self, queue: Queue, sources: Mapping[str, StreamSource], ways: Mapping[str, Way], pseudonyms: Pseudonyms
    ) -> None:
        self._queue = queue
        self._sources = sources
        self._feeds = {name: feed_of(name, source) for name, source in sources.items()}
        self._ways = ways
        self._watches = watches_of(ways)
        self._pseudonyms = pseudonyms

    def handle(self, taken: Sequence[Message], now: datetime) -> Iterator[Done]:
        """Yields what became of each message. Raises StorageError or DatabaseError."""
        messages = [self._read(one) for one in taken]
        known = self._known(messages)
        for one in messages:
            if one.read is None:
                yield Done(one.message, DEAD, one.refusal)
                continue
            source, number = one.message.source, one.message.seq
            states = known[source]
            change = changes(one.read, states, self._feeds[source], self._watches, one.message.received, number)
            states.apply(change.visits, change.aliases)
            yield self._done(one.message, change, states, now)

    def _read(self, message: Message) -> _Taken:
        source = self._sources.get(message.source)
        if source is None:
            return _Taken(message, None, f"there is no source {message.source}")
        try:
            return _Taken(message, read(message.body, source.charset))
        except Hl7Error as error:
            return _Taken(message, None, f"{error.rule} {error.place}")

    def _known(self, messages: Sequence[_Taken]) -> dict[str, Known]:
        """Returns by source what is known of all that the messages name."""
        of_source: defaultdict[str, list[Hl7Message]] = defaultdict(list)
        for one in messages:
            if one.read is not None:
                of_source[one.message.source].append(one.read)
        with self._queue.database.reading() as connection:
            return {source: self._known_of(connection, source, some) for source, some in of_source.items()}

    def _known_of(self, connection: Connection, source: str, messages: Sequence[Hl7Message]) -> Known:
        feed = self._feeds[source]
        names = [(EFFECTS.get(one.event), names_in(one, feed)) for one in messages]
        known = known_of(connection, self._keys(source), {name for _, some in names for name in some})
        # Only who comes back because something was taken back is asked about by the scores that there are.
        returning = {name.identifier for effect, some in names if effect in _RETURNS for name in some}
        visits = [visit for number in returning if (visit := known.visit(number)) is not None]
        origins = {request.message for visit in visits for request in visit.requests}
        return Known(known.visits, known.aliases, last_scores(connection, self._queue.run, origins))

    def _done(self, message: Message, change: Change, known: Known, now: datetime) -> Done:
        asked = [self._asked(message, change, one, known) for one in change.admissions]
        retracted = [self._retracted(message, one) for one in change.endings if one.is_taken_back]
        return Done(
            message,
            change.outcome,
            ", ".join(change.remarks),
            outputs=(*asked, *retracted),
            kept=kept(self._keys(message.source), change.visits, change.aliases, message.received),
            state=self._ending(message, change, now) if change.endings else None,
        )

    def _ending(self, message: Message, change: Change, now: datetime) -> Callable[[Connection], None]:
        run, reason = self._queue.run, f"by message {message.seq}"

        def end(connection: Connection) -> None:
            for one in change.endings:
                requested = self._requested(message.source, one)
                unscored = requested._replace(key=request_key(requested.key, requested.branch))
                end_requests(connection, run, unscored, one.why.value, reason, now)
                if one.is_taken_back:
                    end_unsaid(connection, run, requested, one.why.value, reason, now)

        return end

    def _asked(self, message: Message, change: Change, admission: Admission, known: Known) -> Put:
        visit, request = admission.visit, admission.request
        body = bodies.Admission(
            visit=Number(*visit.number),
            patients=(Number(*known.remaining(Kind.PATIENT, visit.patient)),),
            unit=visit.location.unit,
            visit_class=visit.visit_class,
            event_time=change.event_time,
            received=message.received,
            late_by=max(0.0, (message.received - change.event_time).total_seconds()),
        )
        first = self._ways[request.branch].branch.at[0]
        key = self._key(message.source, request.visit)
        return Put(
            stage="query",
            key=request_key(key, request.branch),
            body=packed(body),
            dedup=f"{message.seq}:{request.branch}:{key}:{format_duration(first)}",
            due=message.received + first,
            received=message.received,
            source=message.source,
            branch=request.branch,
            origin=message.seq,
            as_of=message.received + first,
        )

    def _retracted(self, message: Message, ending: Ending) -> Put:
        """Returns what takes back what a request has put into the record, if it has.

        It comes after that, because the key is the same; `origin` is the message that made the request.
        """
        requested = self._requested(message.source, ending)
        return Put(
            stage="notify",
            key=requested.key,
            body=packed(Cancelled(requested.origin, message.received)),
            dedup=f"{requested.origin}:{requested.branch}:{requested.key}:{ending.why.value}",
            due=message.received,
            received=message.received,
            source=message.source,
            branch=requested.branch,
            origin=requested.origin,
        )

    def _requested(self, source: str, ending: Ending) -> Requested:
        request = ending.request
        return Requested(request.message, request.branch, self._key(source, request.visit))

    def _key(self, source: str, visit: Identifier) -> str:
        return self._keys(source).of(Name(Kind.VISIT, visit))

    def _keys(self, source: str) -> Keys:
        return keys_of(self._queue.run, source, self._pseudonyms)
