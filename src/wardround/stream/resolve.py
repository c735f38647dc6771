"""The stage `resolve`: what a Subscription announces in, what ADT messages would have said of it out.

It sees patient values; it never logs.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from wardround.adapters.queue.message import DEAD, DONE, LATER, Done, Message, Put
from wardround.adapters.queue.queue import Queue
from wardround.fhir.client import FhirClient
from wardround.settings import Settings
from wardround.spec.loading import load_stream
from wardround.spec.stream import StreamSource
from wardround.stream.each import DELAYS
from wardround.stream.raw import raw
from wardround.stream.servers import Servers, each_alone
from wardround.stream.stage import StageStopped
from wardround.stream.subscriptions.announced import STAGE, announced_in
from wardround.stream.subscriptions.encounter_message import NoNumber, encounter_message
from wardround.stream.subscriptions.visits import changed_since, visits_of

_AGAIN: Final = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2))
"""How long until an Encounter is looked for again that the server has announced and does not find yet."""
NOT_THERE: Final = "encounter_not_there"
NO_NUMBER: Final = "no_patient_number"


@contextmanager
def opened(settings: Settings, _queue: Queue) -> Iterator["Resolve"]:
    """Gives the stage. Raises SpecError or FhirError."""
    stream = load_stream(settings.stream)
    yield Resolve(Servers.of(stream, settings), stream.sources)


class Resolve:
    """Reads the Encounters that were announced, and says what they are now as messages for the stage `flag`."""

    name = STAGE
    most = 32
    together = True
    delays = DELAYS

    def __init__(self, servers: Servers, sources: Mapping[str, StreamSource]) -> None:
        self._servers = servers
        self._sources = sources

    def handle(self, taken: Sequence[Message], now: datetime) -> Iterator[Done]:
        """Yields what became of each notification. Raises StageStopped if its server cannot be used."""
        for message in taken:
            if message.source not in self._sources:
                yield Done(message, DEAD, f"there is no source {message.source}")
                continue
            try:
                yield self._asked(message, now)
            except StageStopped as why:
                yield self._servers.later(message, why, now)

    def _asked(self, message: Message, now: datetime) -> Done:
        with self._servers.client(message.source) as client:
            # What the server refuses of one Encounter must not keep all others waiting.
            (found,) = each_alone(client, [message], lambda _: [self._resolved(message, client, now)])
        if isinstance(found, Exception):
            raise found
        return found

    def _resolved(self, message: Message, client: FhirClient, now: datetime) -> Done:
        found = announced_in(message.body)
        ids = set(found.encounters) | (changed_since(client, message.received) if found.others else set())
        visits, missing = visits_of(client, ids)
        if missing and message.waits < len(_AGAIN):
            return Done(message, LATER, NOT_THERE, due=now + _AGAIN[message.waits], waits=True)
        source, outputs, unnumbered = self._sources[message.source], list[Put](), 0
        for visit in visits:
            try:
                body = encounter_message(*visit, source)
            except NoNumber:
                unnumbered += 1
            else:
                outputs.append(raw(body, message.source, message.received))
        reasons = {NOT_THERE: len(missing), NO_NUMBER: unnumbered}
        reason = ", ".join(f"{why}: {count}" for why, count in reasons.items() if count)
        return Done(message, DONE, reason, outputs=tuple(outputs))
