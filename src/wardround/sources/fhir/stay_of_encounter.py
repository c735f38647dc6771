"""Makes a stay of the requested span from an Encounter, or tells why it cannot be one."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from wardround.core.exclusion import Excluded, Stay
from wardround.core.microseconds import UNKNOWN, micros
from wardround.fhir.periods import LATEST, Bounds, bounds_of
from wardround.fhir.references import FOREIGN_REFERENCE, Resource, contradicts, id_in, is_foreign, patient_of
from wardround.fhir.times import micros_of
from wardround.sources.fhir.begins import hospital_begin, unit_begin
from wardround.sources.fhir.encounter_rule import EncounterRule, list_in, stints
from wardround.sources.fhir.people import MALFORMED_PATIENT, MODIFIED, is_modified, person_of

NO_SUBJECT: Final = "no_subject"
NO_PERIOD: Final = "no_period"  # no start, or a start or end that is not a valid time
UNCERTAIN_PERIOD: Final = "uncertain_period"  # a date, or a time without a zone, leaves open whether it was going on
REVERSED_PERIOD: Final = "reversed_period"
MALFORMED: Final = "malformed"  # not shaped like an Encounter, or without a usable id
# An Encounter with such a status may be going on even if no start is recorded.
GOING_ON: Final = ("arrived", "triaged", "in-progress", "onleave", "unknown")


def is_timeless(encounter: Resource) -> bool:
    """Returns whether no date can find the Encounter: it has no period, or none that can be read."""
    try:
        return bounds_of(encounter.get("period")).is_timeless
    except AttributeError:
        return True


def may_be_of(encounter: Resource, start: int, until: int) -> bool:
    """Returns whether the Encounter's period can share a moment with the span."""
    try:
        return bounds_of(encounter.get("period")).may_overlap(start, until)
    except AttributeError:
        return False


class Known(NamedTuple):
    """What is known beside an Encounter: Patients and Encounters, by id (None if unknown), and Locations."""

    patient: Callable[[str], Resource | None]
    encounter: Callable[[str], Resource | None]
    locations: Mapping[str, Resource]


class Asked(NamedTuple):
    """Which stays are searched for: the rule, the Locations that count with the requested ones, and the time span."""

    rule: EncounterRule
    places: Mapping[str, str]
    start: int
    as_of: int | None
    known: Known

    def rows(self, encounter: Resource) -> list[Stay | Excluded]:
        """Returns one stay, without `succeeded_by`, or one Encounter set aside; nothing if not of this span."""
        key, patient = str(encounter.get("id")), ""
        try:
            whole = bounds_of(encounter.get("period"))
            counted = self.rule.bounds(encounter, whole, self.places)
            within = self._within_span(encounter, whole, counted)
            patient = patient_of(encounter)
            return [self._stay(encounter, key, patient, counted, within)] if within else []
        except _Unusable as reason:
            return [Excluded(key, patient, str(reason))]
        except (AttributeError, TypeError, ValueError):
            return [Excluded(key, patient, MALFORMED)]

    @property
    def _until(self) -> int:
        return LATEST if self.as_of is None else self.as_of

    def _within_span(self, encounter: Resource, whole: Bounds, counted: Sequence[Bounds]) -> list[Bounds]:
        """Returns those of the Encounter's times that count that may overlap the span."""
        # An Encounter without any time belongs to no known span, and cannot be found by date.
        lost = self.as_of is not None and whole.is_timeless and encounter.get("status") not in GOING_ON
        if lost or not whole.may_overlap(self.start, self._until):
            return []
        return [one for one in counted if one.may_overlap(self.start, self._until)]

    def _stay(
        self, encounter: Resource, key: str, patient: str, counted: Sequence[Bounds], within: Sequence[Bounds]
    ) -> Stay:
        subject = encounter.get("subject")
        if patient and contradicts(subject, "Patient"):
            raise _Unusable(MALFORMED)
        if not patient:
            raise _Unusable(FOREIGN_REFERENCE if is_foreign(subject) else NO_SUBJECT)
        if is_modified(encounter) or any(is_modified(part) for part in list_in(encounter, "location")):
            raise _Unusable(MODIFIED)
        person = person_of(self.known.patient(patient), self._until)
        if person.barred in (MODIFIED, MALFORMED_PATIENT):
            raise _Unusable(person.barred)
        status, (intime, outtime) = encounter.get("status"), _times(within, self.as_of)
        born_from = _midnight(person.born_from)
        born_by = born_from if person.born_by == person.born_from else _midnight(person.born_by)
        of_hospital = hospital_begin(encounter, self.rule.is_of_more(encounter), self.known.encounter)
        return Stay(
            stay_id=key,
            patient_id=patient,
            intime=intime,
            outtime=outtime,
            unit_begin=unit_begin(counted, self.as_of),
            hospital_begin=of_hospital.begin,
            birth_date=born_by if born_from == born_by else UNKNOWN,
            sex=person.sex,
            unit=self._unit(encounter),
            status=status if isinstance(status, str) else "",
            born_from=born_from,
            born_by=born_by,
            barred=person.barred,
            hospital_unknown=of_hospital.reason,
            part_of=id_in(encounter.get("partOf"), "Encounter"),
        )

    def _unit(self, encounter: Resource) -> str:
        """Returns the name of the Encounter's last Location, or of the requested one that this is a part of."""
        parts = list(stints(encounter))
        starts = [micros_of((part.get("period") or {}).get("start")) for _, part in parts]
        begun = [place for place, start in enumerate(starts) if start <= self._until]
        if not begun:
            return ""
        location, part = parts[max(begun, key=lambda place: (starts[place], place))]
        name = self.known.locations.get(self.places.get(location, location), {}).get("name")
        return str(name or (part.get("location") or {}).get("display") or "")


class _Unusable(Exception):
    """The reason why an Encounter cannot be a stay."""


def _midnight(day: datetime | None) -> int:
    return UNKNOWN if day is None else micros(day.replace(tzinfo=UTC))


def _times(counted: Sequence[Bounds], as_of: int | None) -> tuple[int, int]:
    """Returns the latest start and the earliest end of the stay, if they leave no doubt whether it goes on."""
    if any(one.is_reversed for one in counted):
        raise _Unusable(REVERSED_PERIOD)
    if not _is_certain(counted, as_of):
        raise _Unusable(UNCERTAIN_PERIOD if all(one.is_stated for one in counted) else NO_PERIOD)
    end = max(one.end[0] for one in counted)
    return min(min(one.begin[1], end) for one in counted), UNKNOWN if end == LATEST else end


def _is_certain(counted: Sequence[Bounds], as_of: int | None) -> bool:
    if as_of is None:
        return all(one.is_stated and one.is_exact for one in counted)
    over = all(one.is_stated and one.is_over_at(as_of) for one in counted)
    return over or any(one.holds_at(as_of) for one in counted)
