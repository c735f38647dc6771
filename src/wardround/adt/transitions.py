"""From a message and what is known to what it changes: states of visits, numbers, who is newly admitted, what is over.

Pure: the same messages in the same order give the same changes, at any time and as often as they are replayed. A remark
names a rule and a place, and never a value.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from wardround.adt.admissions import Admission, Ending, Watches
from wardround.adt.effects import EFFECTS, Effect
from wardround.adt.feed import Feed
from wardround.adt.known import Kind, Known, Name
from wardround.adt.merging import merges_both, merges_patients, renames_visit
from wardround.adt.numbers import Group, groups, patient_of, prior_patient_of, renamed_in, visit_of
from wardround.adt.placing import (
    cancels_admission,
    cancels_discharge,
    cancels_transfer,
    closes,
    corrects,
    places,
)
from wardround.adt.reading import Reading, Refused
from wardround.adt.visit import Visit
from wardround.core.identifier import Identifier
from wardround.hl7.reader import Hl7Message

DONE: Final = "done"
LATE: Final = "late"
IGNORED: Final = "ignored"
DEAD: Final = "dead"


@dataclass(frozen=True)
class Change:
    """What a message changes.

    Attributes:
        outcome: done; late, if all of it is older than what is known; ignored, if it has no effect; dead, if it cannot
            be used.
        remarks: what is to be counted: rules and places, never values.
        event_time: when it happened.
        visits: states by number; None where a visit has another number now.
        aliases: numbers that were merged into another one; None for one that is its own again.
        admissions: who is newly admitted, once for each branch.
        endings: requests that are over.
    """

    outcome: str
    remarks: tuple[str, ...]
    event_time: datetime
    visits: dict[Identifier, Visit | None]
    aliases: dict[Name, Identifier | None]
    admissions: tuple[Admission, ...] = ()
    endings: tuple[Ending, ...] = ()


_EFFECTS: Final[dict[Effect, Callable[[Reading, Group], None]]] = {
    Effect.PLACES: places,
    Effect.CORRECTS: corrects,
    Effect.CLOSES: closes,
    Effect.CANCELS_ADMISSION: cancels_admission,
    Effect.CANCELS_TRANSFER: cancels_transfer,
    Effect.CANCELS_DISCHARGE: cancels_discharge,
    Effect.MERGES_PATIENTS: merges_patients,
    Effect.RENAMES_VISIT: renames_visit,
    Effect.MERGES_BOTH: merges_both,
}


def changes(message: Hl7Message, known: Known, feed: Feed, watches: Watches, received: datetime, number: int) -> Change:
    """Returns what a message changes. `received` is when it was received, `number` its place in the order of receipt.

    `known` must hold what is known of `names_in`, and is not changed.
    """
    reading = Reading(message, known.draft(), feed, watches, received, number)
    effect = EFFECTS.get(message.event) if message.code == "ADT" else None
    if effect is None:
        reading.remarks.append("event_unknown MSH-9")
    if effect in (None, Effect.NONE):
        return _changed(reading, IGNORED)
    reading.remarks += reading.said.remarks
    try:
        found = groups(message)
        if not found:
            raise Refused("no_patient PID")
        visits = [visit_of(group, feed) for group in found]
        if len(set(visits) - {None}) < len(visits) - visits.count(None):
            raise Refused("visit_named_twice PV1-19")
        for group in found:
            _EFFECTS[effect](reading, group)
    except Refused as refused:
        return Change(DEAD, (str(refused),), reading.said.at, {}, {})
    return _changed(reading, DONE if reading.is_applied else LATE if reading.is_late else IGNORED)


def _changed(reading: Reading, outcome: str) -> Change:
    return Change(
        outcome,
        tuple(dict.fromkeys(reading.remarks)),
        reading.said.at,
        reading.draft.changed_visits,
        reading.draft.changed_aliases,
        tuple(reading.admissions),
        tuple(reading.endings),
    )


def names_in(message: Hl7Message, feed: Feed) -> set[Name]:
    """Returns the numbers in a message, of which must be known what is known."""
    found = set[Name]()
    for group in groups(message):
        patients = (patient_of(group, feed), prior_patient_of(group, feed))
        visits = (visit_of(group, feed), *(renamed_in(group, feed) or ()))
        found |= {Name(Kind.PATIENT, one) for one in patients if one is not None}
        found |= {Name(Kind.VISIT, one) for one in visits if one is not None}
    return found
