"""Reads from a Patient, given as a dict, the age, the sex and any reason against a score."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from wardround.fhir.references import Resource, id_in
from wardround.fhir.times import days_of, span_of

DECEASED: Final = "deceased"
MERGED: Final = "merged_patient"
INACTIVE: Final = "inactive_patient"
UNKNOWN_PATIENT: Final = "unknown_patient"  # the source has no such Patient, or no longer
MALFORMED_PATIENT: Final = "malformed_patient"
MODIFIED: Final = "modifier_extension"
# The elements that are kept of a Patient. The date of a death can be withheld: then only its extensions are there.
ELEMENTS: Final = (
    *("gender", "birthDate", "active", "link", "modifierExtension", "implicitRules"),
    *("deceasedBoolean", "deceasedDateTime", "_deceasedDateTime"),
)
_TYPES_OF_LINK: Final = ("replaced-by", "replaces", "refer", "seealso")


class Person(NamedTuple):
    """What a screening needs to know of a Patient at a time.

    Attributes:
        born_from, born_by: the first and the last day on which the Patient may have been born; None if unknown.
        barred: why the Patient must not be scored; "" if there is no reason.
    """

    sex: str | None
    born_from: datetime | None
    born_by: datetime | None
    barred: str


def person_of(patient: Resource | None, as_of: int) -> Person:
    """Returns the Patient as known at `as_of`, in microseconds. Pass None for one that the source does not have."""
    about = patient or {}
    sex = about.get("gender")
    first, last = days_of(about.get("birthDate")) or (None, None)
    return Person(sex if isinstance(sex, str) else None, _midnight(first), _midnight(last), _barred(patient, as_of))


def is_modified(element: Any) -> bool:
    """Returns whether an element carries a modifier: none is understood here, so the element must not be read."""
    return isinstance(element, dict) and bool(element.get("modifierExtension") or element.get("implicitRules"))


def successors(patients: Mapping[str, Resource]) -> dict[str, set[str]]:
    """Returns, for each of these Patients, those of the same person whose record is to be used instead.

    Raises TypeError for links of another shape, which `person_of` calls malformed.
    """
    found: defaultdict[str, set[str]] = defaultdict(set)
    for key, patient in patients.items():
        for kind, other in _links(patient):
            older, newer = _order(kind, key, other)
            if other and older != newer:
                found[older].add(newer)
    return {older: {newer for newer in some if not _back(found, older, newer)} for older, some in found.items()}


def _back(found: Mapping[str, set[str]], older: str, newer: str) -> bool:
    """Returns whether two records point to each other, and this is the one that stays."""
    return older in found.get(newer, ()) and older < newer


def _order(kind: str, key: str, other: str) -> tuple[str, str]:
    """Returns the record that is replaced and the one to use: that with the smaller id if each knows of the other."""
    if kind == "replaces":
        return other, key
    if kind == "seealso":
        return max(key, other), min(key, other)
    return key, other


def _barred(patient: Resource | None, as_of: int) -> str:
    if patient is None:
        return UNKNOWN_PATIENT
    try:
        links = list(_links(patient))
        rules = {
            MODIFIED: is_modified(patient) or any(is_modified(link) for link in patient.get("link") or []),
            DECEASED: _is_dead(patient, as_of),
            MERGED: any(kind == "replaced-by" for kind, _ in links),
            INACTIVE: not _flag(patient, "active", otherwise=True),
        }
    except (TypeError, ValueError):
        return MALFORMED_PATIENT
    return next((reason for reason, holds in rules.items() if holds), "")


def _is_dead(patient: Resource, as_of: int) -> bool:
    """Returns whether the Patient may have died by `as_of`; a dead one is scored only for times before the death."""
    when = patient.get("deceasedDateTime")
    if when is None:
        return _flag(patient, "deceasedBoolean", otherwise=False) or bool(patient.get("_deceasedDateTime"))
    span = span_of(when)
    if span is None:
        raise ValueError("deceasedDateTime")
    return span[0] <= as_of


def _flag(patient: Resource, name: str, otherwise: bool) -> bool:
    value = patient.get(name)
    if value is None:
        return otherwise
    if not isinstance(value, bool):
        raise TypeError(name)
    return value


def _links(patient: Resource) -> Iterator[tuple[str, str]]:
    """Yields the type of each link, and the id of the Patient that it names, if any. Raises TypeError."""
    links = patient.get("link")
    if not isinstance(links, list | None):
        raise TypeError("link")
    for link in links or []:
        if not isinstance(link, dict) or link.get("type") not in _TYPES_OF_LINK:
            raise TypeError("link")
        yield link["type"], id_in(link.get("other"), "Patient")


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day)  # noqa: DTZ001 (a date has no zone)
