"""The state of a visit, as the messages of its source left it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from wardround.core.identifier import Identifier


class Request(NamedTuple):
    """That a branch was asked to score a visit.

    Attributes:
        branch: "<condition>/<branch id>".
        message: the number of the message that admitted the visit.
        visit: the number that the visit had then, from which the key of its queue is made.
    """

    branch: str
    message: int
    visit: Identifier


class Location(NamedTuple):
    """A unit (PL.1) and its facility (PL.4)."""

    unit: str
    facility: str


@dataclass(frozen=True)
class Visit:
    """Where a visit lies, as what, and whether it goes on.

    Attributes:
        number: of the visit; after a merge, the one that remains.
        patient: the patient's number, as the last message said it; follow merges before using it.
        location: the last known one, also of a visit that is over.
        visit_class: PV1-2, such as I; "" if no message said it.
        is_open: whether it goes on.
        event_time: when what is known happened; what happened earlier changes it no more.
        cancelled: if the last thing that happened was taken back, when that was recorded; else None.
        requests: what was asked about it, oldest first.
        message: the number of the last message that changed it.
    """

    number: Identifier
    patient: Identifier
    location: Location
    visit_class: str
    is_open: bool
    event_time: datetime
    cancelled: datetime | None = None
    requests: tuple[Request, ...] = field(default=(), repr=False)
    message: int = 0
