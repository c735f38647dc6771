"""Tells when a stay began: in its unit, and in the hospital. What is not known to the moment is unknown."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from wardround.core.exclusion import TOOK_PLACE
from wardround.core.microseconds import PER_HOUR, UNKNOWN
from wardround.fhir.periods import Bounds, bounds_of
from wardround.fhir.references import Resource, id_in, patient_of
from wardround.fhir.times import Span
from wardround.sources.fhir.people import is_modified

NO_HOSPITAL: Final = "no_hospital_encounter"  # part of no Encounter, and not one of the whole hospital stay itself
NOT_READ: Final = "hospital_encounter_not_read"  # the source does not have it, or failed to give it
UNUSABLE: Final = "hospital_encounter_unusable"  # cancelled, planned, part of itself, or not understood
NO_BEGIN: Final = "no_hospital_begin"  # its period has no start that can be read
UNCERTAIN_BEGIN: Final = "uncertain_hospital_begin"  # a date, or a time without a zone
# An operation or an examination elsewhere does not end a stay in the unit.
_ABSENCE: Final = 12 * PER_HOUR
_DEEPEST: Final = 10  # a stay in a unit, in a stay in a department, in a hospital stay makes three


class HospitalBegin(NamedTuple):
    """When a hospital stay began, in microseconds since 1970; UNKNOWN, for a `reason`, if that is not known.

    `missing` is the id of the Encounter that was not found and that may tell; "" if there is none.
    """

    begin: int
    reason: str = ""
    missing: str = ""


def unit_begin(counted: Sequence[Bounds], as_of: int | None) -> int:
    """Returns when the time in the unit that goes on at `as_of` began, in microseconds; UNKNOWN if that is not exact.

    Args:
        counted: all the Encounter's times that count as a stay, at least one, however long ago. One that ended up to
            twelve hours before the next began is of the same time in the unit.
        as_of: the time that matters; None for the first time in the unit.
    """
    begun = sorted(one for one in counted if as_of is None or one.begin[0] <= as_of)
    if not begun:
        return UNKNOWN
    if as_of is None:
        return _exact(begun[0].begin)
    first = begun[-1]
    for one in reversed(begun):
        if one.end[1] + _ABSENCE >= first.begin[0]:
            first = one
    return _exact(first.begin)


def hospital_begin(encounter: Resource, is_whole: bool, find: Callable[[str], Resource | None]) -> HospitalBegin:
    """Returns the begin of the outermost Encounter of the same patient that this one is a part of.

    An Encounter of another patient is not a whole of this one: a newborn's may be a part of the mother's.

    Args:
        encounter: the stay.
        is_whole: whether the Encounter, if it is part of none, is that of the whole hospital stay.
        find: returns the Encounter of an id, or None.
    """
    whole, seen = encounter, {encounter.get("id")}
    while whole.get("partOf"):
        key = id_in(whole["partOf"], "Encounter")
        found = find(key) if key else None
        if found is None:
            return HospitalBegin(UNKNOWN, NOT_READ, key)
        if patient_of(found) not in ("", patient_of(encounter)):
            break
        if key in seen or len(seen) > _DEEPEST or not _is_usable(found):
            return HospitalBegin(UNKNOWN, UNUSABLE)
        seen.add(key)
        whole = found
    if whole is encounter and not is_whole:
        return HospitalBegin(UNKNOWN, NO_HOSPITAL)
    return _of_period(whole)


def _is_usable(whole: Resource) -> bool:
    return bool(patient_of(whole)) and whole.get("status") in TOOK_PLACE and not is_modified(whole)


def _of_period(whole: Resource) -> HospitalBegin:
    try:
        bounds = bounds_of(whole.get("period"))
    except AttributeError:
        return HospitalBegin(UNKNOWN, NO_BEGIN)
    if not bounds.has_begin:
        return HospitalBegin(UNKNOWN, NO_BEGIN)
    begin = _exact(bounds.begin)
    return HospitalBegin(begin, UNCERTAIN_BEGIN if begin == UNKNOWN else "")


def _exact(span: Span) -> int:
    return span[0] if span[0] == span[1] else UNKNOWN
