"""Erases one patient from what the stream keeps: messages of every stage, dead letters, visits, lock-outs.

Accounts of messages stay, without content, so that counts hold and a message that is sent again is still known. It sees
record numbers; it never logs.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from wardround.adapters.database.visit_removal import forget_person, learn
from wardround.adapters.pseudonyms import Pseudonyms
from wardround.adapters.queue.erasing import erase_messages, stored
from wardround.adapters.queue.queue import Queue
from wardround.adt.feed import feed_of
from wardround.adt.mentions import Person, mentions_in
from wardround.core.identifier import Identifier
from wardround.hl7.reader import read
from wardround.hl7.refused import Hl7Error
from wardround.spec.stream import StreamSource
from wardround.stream.bodies import Admission, Notice, Scored, StayRead, admission_in, for_record, stay_in
from wardround.stream.subscriptions.announced import announced_in
from wardround.stream.visit_keys import told_key

_Row = Any  # of the columns that `stored` names


class Erased(NamedTuple):
    """How many messages were erased, and how many rows of other kinds removed."""

    messages: int = 0
    visits: int = 0
    merged_numbers: int = 0
    lock_outs: int = 0


def erase(
    queue: Queue,
    numbers: Collection[Identifier],
    sources: Mapping[str, StreamSource],
    pseudonyms: Pseudonyms,
    now: datetime,
) -> Erased:
    """Erases the patient with these numbers, and with all that were merged with them; returns how much that was.

    Of a message that names two patients (a merge, a swap) nothing is left. The stages may go on meanwhile: it looks
    until it finds nothing any more. Raises StorageError or DatabaseError.
    """
    erasing = _Erasing(queue, Person(set(numbers)), sources, pseudonyms)
    total = Erased()
    while any(found := erasing.once(now)):
        total = Erased(*(before + more for before, more in zip(total, found, strict=True)))
    return total


class _Erasing:
    """What is known of the person grows with what is found of them."""

    def __init__(
        self, queue: Queue, person: Person, sources: Mapping[str, StreamSource], pseudonyms: Pseudonyms
    ) -> None:
        self._queue = queue
        self._person = person
        self._sources = sources
        self._feeds = {name: feed_of(name, source) for name, source in sources.items()}
        self._pseudonyms = pseudonyms

    def once(self, now: datetime) -> Erased:
        """Erases what is found now; returns how much that was."""
        with self._queue.database.reading() as connection:
            learn(connection, self._queue.run, self._person)
        # Messages first: of what is open, nothing follows then that would bring a visit back.
        erased = 0
        for rows in stored(self._queue):
            erased += erase_messages(self._queue, [row.seq for row in rows if self._is_theirs(row)], now)
        told = {told_key(number, self._pseudonyms) for _, number in self._person.visits}
        with self._queue.database.writing() as connection:
            return Erased(erased, *forget_person(connection, self._queue.run, self._person, told))

    def _is_theirs(self, row: _Row) -> bool:
        try:
            match row.stage:
                case "flag" if row.source in self._feeds:
                    return self._is_named(row)
                case "resolve":
                    found = announced_in(row.body).encounters
                    return any((row.source, one) in self._person.encounters for one in found)
                case "query":
                    return self._is_about(row, admission_in(row.body))
                case "predict":
                    return self._was_read(row, stay_in(row.body))
                case "notify":
                    return self._was_scored(row)
        except (Hl7Error, msgspec.MsgspecError):
            pass  # a dead letter, or soon to be one
        return self._person.is_written_in(row.body)

    def _is_named(self, row: _Row) -> bool:
        source = self._sources[row.source]
        message = read(row.body, source.charset)
        if not self._person.is_named_by(mentions_in(message, self._feeds[row.source]), row.source):
            return False
        if source.subscription is not None:
            # As `encounter_message` writes it.
            self._person.encounters.add((row.source, message.control_id.rpartition("-")[0]))
        return True

    def _is_about(self, row: _Row, admission: Admission) -> bool:
        if self._person.numbers.isdisjoint({one.identifier for one in admission.patients}):
            return False
        self._person.visits.add((row.source, admission.visit.identifier))
        return True

    def _was_read(self, row: _Row, read_then: StayRead) -> bool:
        if not self._is_about(row, read_then.admission):
            return False
        stay = read_then.of
        self._person.encounters |= {(row.source, one) for one in (stay.stay_id, stay.part_of) if one}
        return True

    def _was_scored(self, row: _Row) -> bool:
        match for_record(row.body):
            case Scored(admission=admission) | Notice(scored=Scored(admission=admission)):
                return self._is_about(row, admission)
            case _:
                return False  # a request that was taken back names nobody
