"""Whose numbers a message names: patient and visit, and their earlier ones; never a number without a system."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from wardround.adt.feed import PRIOR, Feed, VisitField
from wardround.core.identifier import Identifier
from wardround.hl7.reader import NULL, Hl7Message, Repetition, Segment
from wardround.spec.stream import Authority

_RECORD_NUMBER: Final = "MR"  # HL7 table 0203


class Group(NamedTuple):
    """What belongs to one patient in a message: PID, with the PV1 and MRG that follow it. A swap (A17) has two."""

    pid: Segment | None
    pv1: Segment | None = None
    mrg: Segment | None = None


def groups(message: Hl7Message) -> tuple[Group, ...]:
    """Returns the groups in order; of several PV1 or MRG of one group the first counts."""
    found: list[Group] = []
    for segment in message.segments():
        match segment.name:
            case "PID":
                found.append(Group(segment))
            case "PV1" | "MRG" if not found:
                found.append(_with(Group(None), segment))
            case "PV1" | "MRG":
                found[-1] = _with(found[-1], segment)
    return tuple(found)


def _with(group: Group, segment: Segment) -> Group:
    name = segment.name.lower()
    return group if getattr(group, name) is not None else group._replace(**{name: segment})


def patient_of(group: Group, feed: Feed) -> Identifier | None:
    """Returns the patient's number that counts (PID-3); None if there is none of an authority that the feed knows."""
    return _patient(group.pid, 3, feed)


def prior_patient_of(group: Group, feed: Feed) -> Identifier | None:
    """Returns the same of MRG-1."""
    return _patient(group.mrg, 1, feed)


def visit_of(group: Group, feed: Feed) -> Identifier | None:
    """Returns the visit's number that counts; None if there is none of the authority of the feed's visits."""
    return next((one for field in feed.visit_fields for one in _visits(*_place(group, field), feed)), None)


def renamed_in(group: Group, feed: Feed) -> tuple[Identifier, Identifier] | None:
    """Returns a visit's earlier number and its number now, from the same kind of field; None if it is not renamed."""
    for field in feed.visit_fields:
        old = next(_visits(group.mrg, PRIOR[field], feed), None)
        new = next(_visits(*_place(group, field), feed), None)
        if old is not None and new is not None:
            return old, new
    return None


def _place(group: Group, field: VisitField) -> tuple[Segment | None, int]:
    return group.pid if field == "PID-18" else group.pv1, int(field[4:])


def _visits(segment: Segment | None, field: int, feed: Feed) -> Iterator[Identifier]:
    for one in segment.repetitions(field) if segment else ():
        if is_issued(one, feed.visits):
            yield Identifier(feed.visits.system, one.value(1))


def _patient(segment: Segment | None, field: int, feed: Feed) -> Identifier | None:
    listed = segment.repetitions(field) if segment else ()
    for place, authority in enumerate(feed.patients):
        for one in listed:
            if is_issued(one, authority) and (place == 0 or one.value(5) == _RECORD_NUMBER):
                return Identifier(authority.system, one.value(1))
    return None


def is_issued(one: Repetition, authority: Authority) -> bool:
    """Returns whether a value is a number that this authority has issued."""
    number, namespace, universal_id = one.value(1), one.value(4, 1), one.value(4, 2)
    return number not in ("", NULL) and authority.issued(namespace, universal_id)
