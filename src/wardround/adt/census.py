"""The census: who lies in which watched unit now, as the messages of a source left it."""

from collections.abc import Iterator
from typing import NamedTuple

from wardround.adt.admissions import is_watched
from wardround.adt.feed import Feed
from wardround.adt.known import Kind, Known
from wardround.adt.visit import Visit
from wardround.core.identifier import Identifier


class Lying(NamedTuple):
    """A visit that goes on in a watched unit, and the number that its patient has now."""

    visit: Visit
    patient: Identifier


def census(known: Known, feed: Feed) -> list[Lying]:
    """Returns who lies in the units that the feed watches, in the classes that it wants, by unit and visit."""
    return sorted(_lying(known, feed), key=lambda one: (one.visit.location, one.visit.number))


def _lying(known: Known, feed: Feed) -> Iterator[Lying]:
    for visit in known.visits.values():
        if visit is not None and visit.is_open and is_watched(visit.location, visit.visit_class, feed):
            yield Lying(visit, known.remaining(Kind.PATIENT, visit.patient))
