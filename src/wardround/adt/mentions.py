"""Everybody whom a message names, also in places that say nothing about where a visit lies: for erasing a patient."""

import re
from dataclasses import dataclass, field
from typing import Final

from wardround.adt.feed import Feed
from wardround.adt.numbers import is_issued
from wardround.core.identifier import Identifier
from wardround.hl7.reader import Hl7Message

# PID-21 is the mother of a newborn; PID-2, PID-4, MRG-2 and MRG-4 are where earlier versions of HL7 have numbers, too.
_PATIENTS: Final = {"PID": (2, 3, 4, 21), "MRG": (1, 2, 4)}
_VISITS: Final = {"PID": (18,), "PV1": (19, 50), "MRG": (3, 5, 6)}


@dataclass(frozen=True)
class Mentions:
    """Whom a message names.

    Attributes:
        patients: numbers of authorities that the feed knows.
        visits: the same of visits.
        bare: all values that stand where a patient's number does, whoever issued them.
    """

    patients: frozenset[Identifier]
    visits: frozenset[Identifier]
    bare: frozenset[str]


def mentions_in(message: Hl7Message, feed: Feed) -> Mentions:
    """Returns whom a message names."""
    patients, visits, bare = set[Identifier](), set[Identifier](), set[str]()
    for segment in message.segments():
        for number in _PATIENTS.get(segment.name, ()):
            for one in segment.repetitions(number):
                bare.add(one.value(1))
                issuers = (authority for authority in feed.patients if is_issued(one, authority))
                patients |= {Identifier(authority.system, one.value(1)) for authority in issuers}
        for number in _VISITS.get(segment.name, ()):
            repeated = (one for one in segment.repetitions(number) if is_issued(one, feed.visits))
            visits |= {Identifier(feed.visits.system, one.value(1)) for one in repeated}
    return Mentions(frozenset(patients), frozenset(visits), frozenset(bare))


@dataclass
class Person:
    """One patient: all numbers that are known to be theirs.

    Attributes:
        numbers: of the patient, merged ones too.
        visits: source and number of each visit.
        encounters: source and id of each Encounter at the source's FHIR server.
    """

    numbers: set[Identifier]
    visits: set[tuple[str, Identifier]] = field(default_factory=set)
    encounters: set[tuple[str, str]] = field(default_factory=set)

    def is_named_by(self, mentions: Mentions, source: str) -> bool:
        """Returns whether a message is about them; one without any known number of a patient by what else it has."""
        if mentions.patients:
            return not self.numbers.isdisjoint(mentions.patients)
        by_visit = any((source, one) in self.visits for one in mentions.visits)
        return by_visit or any(one.value in mentions.bare for one in self.numbers)

    def is_written_in(self, body: bytes) -> bool:
        """Returns whether one of their numbers stands in a body that cannot be read, as a word of its own."""
        words = (re.escape(one.value.encode()) for one in self.numbers)
        return any(re.search(rb"(?<![0-9A-Za-z])" + word + rb"(?![0-9A-Za-z])", body) for word in words)
