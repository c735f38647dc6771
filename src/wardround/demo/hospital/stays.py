"""Reads stays with their readings from a folder of FHIR files, and places each anew in the present.

It sees patient values; it never logs.
"""

from bisect import insort
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, Self

import orjson

from wardround.core.microseconds import PER_DAY, PER_HOUR, UNKNOWN
from wardround.errors import SourceDataError
from wardround.fhir.references import Resource
from wardround.fhir.times import micros_of
from wardround.sources.fhir_folder.resources import Current, FhirFolder

_DAY: Final = PER_DAY
"""Readings are kept from so long before the begin of a stay to so long after it."""
_PLACES: Final = ("Organization", "Location")
_GOLDEN: Final = 0.6180339887498949
_FIRST: Final = 0.8


class Reading(NamedTuple):
    """An Observation as recorded, with the microsecond since 1970 at which it was known."""

    available: int
    content: bytes


@dataclass
class Stay:
    """A stay in the unit as recorded: its resources, and its readings from a day before it to a day after its begin.

    Attributes:
        begin: when it began, in microseconds since 1970.
        end: when it ended; None if the record ends before.
        pace: how soon its readings are known, compared with the record.
    """

    patient: Resource
    admission: Resource
    encounter: Resource
    begin: int
    end: int | None
    pace: "Pace"
    readings: list[Reading] = field(default_factory=list)


@dataclass(frozen=True)
class Pace:
    """How soon the readings of a stay are known, compared with the record.

    Attributes:
        lead: microseconds for which the patient was charted elsewhere before the unit.
        hold: microseconds after the begin before which no reading taken in the unit is known.
    """

    lead: int = 0
    hold: int = 0

    @classmethod
    def as_in_mimic(cls, number: int) -> Self:
        """Returns the pace of one simulated stay of many, such that together they know no more than MIMIC's demo.

        Of its 140 stays, 43 (31 %) have the least data for a score of sepsis in the first minute of the unit, 111
        (79 %) after one hour and 139 (99 %) after six. The simulated ward as it is has 0, 98 and 98 %. The first eleven
        stays keep to it, and any more, because multiples of the golden ratio spread evenly.
        """
        place = (_FIRST + number * _GOLDEN) % 1
        if place < 0.25:
            return cls(lead=2 * PER_HOUR)
        if place < 0.74:
            return cls()
        if place < 0.98:
            return cls(hold=PER_HOUR + int((place - 0.74) / 0.24 * 4.5 * PER_HOUR))
        return cls(hold=7 * PER_HOUR)


AS_RECORDED: Final = Pace()


@dataclass(frozen=True)
class Recorded:
    """What a folder holds: stays in the unit, one a patient, and the resources of places that they refer to."""

    stays: list[Stay]
    places: list[Resource]


def stays_of(folder: Path, icu_classes: Collection[str], simulated: bool) -> Recorded:
    """Returns the stays of a folder whose Encounters have one of these classes and are part of an admission.

    Simulated ones get a pace. Raises SourceDataError if the folder cannot be read or has none.
    """
    current = Current(FhirFolder(folder), lambda one: str(one["resourceType"]))
    few = [one for _, one in current.resources(lambda kind: kind in ("Patient", "Encounter", *_PLACES))]
    by_reference = {f"{one['resourceType']}/{one['id']}": one for one in few}
    stays: dict[str, Stay] = {}
    for one in few:
        if _is_stay(one, icu_classes) and (subject := one["subject"]["reference"]) not in stays:
            patient, admission = by_reference.get(subject), by_reference.get(one["partOf"]["reference"])
            if patient and admission:
                pace = Pace.as_in_mimic(len(stays)) if simulated else AS_RECORDED
                stays[subject] = Stay(patient, admission, one, *_period(one), pace)
    if not stays:
        raise SourceDataError(
            f"{folder}: has no Encounter of class {', '.join(icu_classes)} that is part of an admission, expected ICU"
            " stays; give a folder that wardround simulate or mimic2fhir wrote"
        )
    _add_readings(stays, (one for _, one in current.resources(lambda kind: kind == "Observation")))
    return Recorded(list(stays.values()), [one for one in few if one["resourceType"] in _PLACES])


def _is_stay(resource: Resource, icu_classes: Collection[str]) -> bool:
    return (
        resource["resourceType"] == "Encounter"
        and resource.get("class", {}).get("code") in icu_classes
        and "partOf" in resource
        and _period(resource)[0] != UNKNOWN
    )


def _period(encounter: Resource) -> tuple[int, int | None]:
    period = encounter.get("period", {})
    end = micros_of(period.get("end"))
    return micros_of(period.get("start")), None if end == UNKNOWN else end


def _add_readings(stays: dict[str, Stay], observations: Iterable[Resource]) -> None:
    for one in observations:
        stay = stays.get(one.get("subject", {}).get("reference", ""))
        taken = micros_of(one.get("effectiveDateTime"))
        if stay is None or taken == UNKNOWN or not stay.begin - _DAY <= taken <= stay.begin + _DAY:
            continue
        known = max(taken, micros_of(one.get("issued")))
        if taken >= stay.begin:
            known = max(known, stay.begin + stay.pace.hold)
        insort(stay.readings, Reading(known, orjson.dumps(one)))
