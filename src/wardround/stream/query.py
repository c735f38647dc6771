"""The stage `query`: an admission in, the stay and its readings out, as the FHIR server has them.

A visit that the server does not know yet is asked for again, and no other waits for it. It sees patient values; it
never logs.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from wardround.adapters.pseudonyms import Pseudonyms
from wardround.adapters.queue.message import DEAD, DONE, LATER, Done, Message
from wardround.adapters.queue.queue import Queue
from wardround.core.reading_rule import ReadingRule, reading_rule
from wardround.errors import FhirError
from wardround.fhir.client import FhirClient
from wardround.settings import Settings
from wardround.sources.fhir.current_stay import NoStay
from wardround.sources.fhir.linking import Ambiguous, Announced, Linked, NotYet, link_all
from wardround.sources.fhir.people import DECEASED
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_conditions, load_stream
from wardround.stream.asking import ASKED_AGAIN, as_of_of, asked_again, name_of
from wardround.stream.bodies import Admission, StayRead, admission_in, packed
from wardround.stream.branches import Way, ways_of
from wardround.stream.each import DELAYS, each_said
from wardround.stream.reading import DISCHARGED, NOT_YET_ADMITTED, Places, Read, Wanted, places_of, read_stays
from wardround.stream.servers import Servers, each_alone, require_server
from wardround.stream.stage import StageStopped
from wardround.stream.stored_readings import as_parquet
from wardround.stream.visit_keys import NumbersNow, require_same_key

UNLINKED: Final = "unlinked"
EXCLUDED: Final = "excluded"
LARGEST: Final = 1 << 20
"""The most bytes that the readings of one stay may take. A stay with more is left to the scheduled screening."""
TOO_LARGE: Final = "the readings take more than 1 MiB"
# Two hours in all.
WAITS: Final = tuple(timedelta(seconds=seconds) for seconds in (10, 30, 60, 300, 900, 900, 1500, 1750, 1750))
"""How long until a visit that is not known yet is asked for again, time after time; then it is `unlinked`."""
_SETTING_AGAIN: Final = timedelta(seconds=30)
_FOR_GOOD: Final = ("under_age", DECEASED)

_Found = Read | NoStay | NotYet | Ambiguous


@contextmanager
def opened(settings: Settings, queue: Queue) -> Iterator["Query"]:
    """Gives the stage. Raises SpecError, FhirError, StorageError; SettingsError if the key of the hashes is new."""
    stream, pseudonyms = load_stream(settings.stream), Pseudonyms.in_folder(settings.var)
    require_same_key(queue, stream.sources, pseudonyms, settings.var)
    servers = Servers.of(stream, settings)
    yield Query(servers, ways_of(load_conditions(settings.schemas)), NumbersNow(queue, pseudonyms))


class Query:
    """Reads the stays of admissions, those that wait together in few searches."""

    name = "query"
    most = 32
    together = True
    delays = DELAYS

    def __init__(self, servers: Servers, ways: Mapping[str, Way], numbers: NumbersNow) -> None:
        self._servers = servers
        self._ways = ways
        self._numbers = numbers
        self._rules: dict[tuple[str, str], ReadingRule] = {}

    def handle(self, taken: Sequence[Message], now: datetime) -> Iterator[Done]:
        """Yields what became of each admission. Raises StageStopped if the only server, or the key, cannot be used."""
        found: dict[int, Done | Exception] = {}
        groups: defaultdict[tuple[str, str], list[Message]] = defaultdict(list)
        for message in taken:
            way = self._ways.get(message.branch)
            if way is None:
                found[message.seq] = Done(message, DEAD, f"there is no branch {message.branch}")
            elif not self._servers.has(message.source):
                found[message.seq] = Done(message, DEAD, f"there is no source {message.source}")
            else:
                groups[message.source, way.condition.id].append(message)
        for (source, _), messages in groups.items():
            found |= self._group(source, self._ways[messages[0].branch].condition, messages, now)
        yield from each_said(taken, found)

    def _group(
        self, source: str, condition: Condition, messages: Sequence[Message], now: datetime
    ) -> dict[int, Done | Exception]:
        self._numbers.require_same_key(source)  # or merges would be overlooked
        try:
            with self._servers.client(source) as client:
                places = _places(client, condition, source)
                if isinstance(places, str):
                    due = now + _SETTING_AGAIN
                    return {one.seq: Done(one, LATER, places, due=due, counts=False) for one in messages}
                found = each_alone(client, messages, lambda some: self._found(client, source, condition, places, some))
        except StageStopped as why:
            return {one.seq: self._servers.later(one, why, now) for one in messages}
        return {
            one.seq: what if isinstance(what, Exception) else self._done(one, *what, now)
            for one, what in zip(messages, found, strict=True)
        }

    def _found(
        self, client: FhirClient, source: str, condition: Condition, places: Places, messages: Sequence[Message]
    ) -> list[tuple[Admission, _Found]]:
        admissions = self._numbers.of(source, [admission_in(one.body) for one in messages])
        links = link_all(client, [_announced(one) for one in admissions])
        wanted = {
            place: Wanted(link, of.visit.identifier, of.event_time, as_of_of(message, self._ways[message.branch]))
            for place, (message, of, link) in enumerate(zip(messages, admissions, links, strict=True))
            if isinstance(link, Linked)
        }
        rule = self._rule(client, condition)
        read = dict(zip(wanted, read_stays(client, condition, places, rule, list(wanted.values())), strict=True))
        found = [read[place] if isinstance(link, Linked) else link for place, link in enumerate(links)]
        return list(zip(admissions, found, strict=True))

    def _rule(self, client: FhirClient, condition: Condition) -> ReadingRule:
        key = client.source.base_url, condition.id
        if key not in self._rules:
            self._rules[key] = reading_rule(condition.variables, client.source.translation)
        return self._rules[key]

    def _done(self, message: Message, admission: Admission, found: _Found, now: datetime) -> Done:
        match found:
            case Ambiguous(reason):
                return Done(message, DEAD, reason)
            case Read():
                return self._read(message, admission, found, now)
            case NoStay(reason) if reason == DISCHARGED:
                return Done(message, DISCHARGED)
            case NoStay(reason) if reason in _FOR_GOOD:
                return Done(message, EXCLUDED, reason)
            case NoStay(reason) if reason == NOT_YET_ADMITTED:
                # At this prediction time it had not begun, whatever the server learns later.
                again = asked_again(message, self._ways[message.branch])
                return Done(message, ASKED_AGAIN if again else EXCLUDED, reason, outputs=again)
            case NotYet(reason) | NoStay(reason):
                return _not_yet(message, reason, now)

    def _read(self, message: Message, admission: Admission, found: Read, now: datetime) -> Done:
        way, readings = self._ways[message.branch], as_parquet(found.readings)
        if len(readings) > LARGEST:
            return Done(message, DEAD, TOO_LARGE)
        server = self._servers.by_source[message.source].base_url
        body = packed(StayRead(admission, tuple(found.stay), readings, server))
        as_of = as_of_of(message, way)
        put = message.followed_by("predict", message.key, body, name_of(message, as_of), due=now, as_of=as_of)
        return Done(message, DONE, outputs=(put,))


def _places(client: FhirClient, condition: Condition, source: str) -> Places | str:
    """Returns the places, or why this condition's cannot be used, while the server as a whole can.

    Raises StageStopped if that is down.
    """
    try:
        return places_of(client, condition)
    except FhirError as error:  # it says nothing of a patient: none was asked for
        require_server(client, error)
        return (
            f"the Locations of {condition.id} cannot be used, so that its admissions from {source} wait: {error}"
            " (cohort.encounters.locations of the condition, or else icu_locations of the server; then start the stage"
            " again)"
        )


def _announced(admission: Admission) -> Announced:
    return Announced(tuple(one.identifier for one in admission.patients), admission.visit.identifier)


def _not_yet(message: Message, reason: str, now: datetime) -> Done:
    if message.waits == len(WAITS):
        return Done(message, UNLINKED, reason)
    return Done(message, LATER, reason, due=now + WAITS[message.waits], waits=True)
