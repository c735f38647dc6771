"""Makes stays from Encounters, Patients and Locations given as dicts, and sets unusable Encounters aside."""

import json
import pickle
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import pandas as pd

from wardround.core.events import frame_of
from wardround.core.exclusion import Excluded, Stay
from wardround.core.microseconds import UNKNOWN, micros, times_of
from wardround.core.stays import EXCLUDED_COLUMNS, FOUND_STAY_COLUMNS, FoundStays
from wardround.fhir.periods import EARLIEST, LATEST, Bounds, bounds_of
from wardround.fhir.references import (
    FOREIGN_REFERENCE,
    Bases,
    Resource,
    contradicts,
    id_in,
    is_foreign,
    is_id,
    locations_of,
    patient_of,
)
from wardround.fhir.times import micros_of
from wardround.fhir.versions import Newest, last_updated
from wardround.sources.fhir import locations as fhir_locations
from wardround.sources.fhir import people
from wardround.sources.fhir.begins import HospitalBegin, hospital_begin, unit_begin
from wardround.sources.fhir.encounter_rule import EncounterRule, list_in, stints
from wardround.sources.fhir.people import MALFORMED_PATIENT, MODIFIED, is_modified, person_of, successors

NO_SUBJECT: Final = "no_subject"
NO_PERIOD: Final = "no_period"  # no start, or a start or end that is not a valid time
UNCERTAIN_PERIOD: Final = "uncertain_period"  # a date, or a time without a zone, leaves open whether it was going on
REVERSED_PERIOD: Final = "reversed_period"
MALFORMED: Final = "malformed"  # not shaped like an Encounter, or without a usable id
_TIMES: Final = ("intime", "outtime", "unit_begin", "hospital_begin")
_BIRTHS: Final = ("birth_date", "born_from", "born_by")
# An Encounter with such a status may be going on even if no start is recorded.
GOING_ON: Final = ("arrived", "triaged", "in-progress", "onleave", "unknown")
_AT_ONCE: Final = 2_000  # how many Encounters are made rows together, so that memory does not grow with the hospital
# What is kept in place of each element of a resource that is nested too deeply to be packed; nothing reads it.
_TOO_DEEP: Final = "\N{REPLACEMENT CHARACTER}"
# The elements that are kept of a resource: a ward's Encounters and Patients are in memory together.
ELEMENTS: Final = {
    "Encounter": (
        *("id", "status", "class", "classHistory", "type", "subject", "period", "location", "partOf"),
        *("modifierExtension", "implicitRules"),
    ),
    "Patient": people.ELEMENTS,
    "Location": fhir_locations.ELEMENTS,
}


def is_timeless(encounter: Resource) -> bool:
    """Returns whether no date can find the Encounter: it has no period, or none that can be read."""
    try:
        return bounds_of(encounter.get("period")).is_timeless
    except AttributeError:
        return True


class EncounterRecords:
    """Encounters and the Patients and Locations that they refer to, each once by id; `bases` resolves references."""

    def __init__(self, bases: Bases) -> None:
        self._bases = bases
        # Packed: those of a hospital are in memory together, and as dicts they take three to five times the memory.
        self._encounters: Newest[bytes] = Newest()
        self._patients: Newest[bytes] = Newest()
        self._locations: Newest[Resource] = Newest()
        # Encounters that were fetched only because stays are parts of them; they are no stays themselves.
        self._wholes: Newest[bytes] = Newest()
        # Encounters without a usable id, each once by content: nothing else tells two of them apart.
        self._nameless: dict[str, Resource] = {}

    def add(self, resources: Iterable[Resource]) -> None:
        """Keeps Encounters, Patients and Locations, for each id the version that counts."""
        for resource in resources:
            kind, key = str(resource.get("resourceType")), resource.get("id")
            if kind in ELEMENTS:
                elements = _elements_of(resource, kind)
                updated = last_updated(resource)
                try:
                    self._keep(kind, key, updated, self._bases.localised(elements))
                except RecursionError:
                    self._keep(kind, key, updated, _too_deep(elements))

    def add_wholes(self, resources: Iterable[Resource]) -> None:
        """Keeps Encounters that stays are parts of, which tell when the hospital stay began and are no stays here."""
        for resource in resources:
            key = resource.get("id")
            if resource.get("resourceType") == "Encounter" and is_id(key):
                elements = _elements_of(resource, "Encounter")
                try:
                    packed = pickle.dumps(self._bases.localised(elements))
                except RecursionError:
                    packed = pickle.dumps(_too_deep(elements))
                self._wholes.add(str(key), last_updated(resource), packed)

    def remove(self, reference: str, deleted: int) -> None:
        """Removes a resource (`Type/id`) that was deleted at a time, unless its version is later."""
        kind, _, key = reference.partition("/")
        match kind:
            case "Encounter":
                self._encounters.remove(key, deleted)
            case "Patient":
                self._patients.remove(key, deleted)
            case "Location":
                self._locations.remove(key, deleted)

    def _keep(self, kind: str, key: object, updated: object, elements: Resource) -> None:
        match kind, is_id(key):
            case "Encounter", True:
                self._encounters.add(str(key), updated, pickle.dumps(elements))
            case "Patient", True:
                self._patients.add(str(key), updated, pickle.dumps(elements))
            case "Location", True:
                self._locations.add(str(key), updated, elements)
            case "Encounter", False:
                elements.pop("id", None)
                self._nameless[json.dumps(elements, sort_keys=True)] = elements

    def missing(self, start: datetime | None = None, as_of: datetime | None = None) -> dict[str, list[str]]:
        """Returns, by type, the ids of missing Patients and Locations.

        Encounters of the span refer to them, but they were not added.
        """
        span = (micros(start) if start else EARLIEST, micros(as_of) if as_of else LATEST)
        patients: set[str] = set()
        locations: set[str] = set()
        for packed in self._encounters.by_id.values():
            encounter = pickle.loads(packed)
            if _may_be_of(encounter, *span):
                patients.add(patient_of(encounter))
                locations |= set(locations_of(encounter))
        return {
            "Patient": sorted(patients - set(self._patients.by_id) - {""}),
            "Location": sorted(locations - set(self.locations) - {""}),
        }

    @property
    def locations(self) -> Mapping[str, Resource]:
        """The Locations, by id."""
        return self._locations.by_id

    def _patient(self, key: str) -> Resource | None:
        packed = self._patients.by_id.get(key)
        patient: Resource | None = None if packed is None else pickle.loads(packed)
        return patient

    def stays(self, rule: EncounterRule, start: datetime | None = None, as_of: datetime | None = None) -> FoundStays:
        """Returns the stays that may overlap [start, as_of], sorted by id; without these times, all stays.

        A date or a time without a zone counts as anything it may mean. If that decides whether the stay goes on at
        `as_of`, the Encounter is set aside; without `as_of`, only exact times are accepted.
        """
        asked = self._asked(rule, start, as_of)
        encounters = self._in_order()
        stays, set_aside = [_frame([])], list[Excluded]()
        for start_at in range(0, len(encounters), _AT_ONCE):
            some, aside = self._split(encounters[start_at : start_at + _AT_ONCE], asked)
            stays.append(_frame(some))
            set_aside += aside
        set_aside += self._nameless_rows(asked)
        found = pd.concat(stays, ignore_index=True)
        found["succeeded_by"] = self._succeeded_by(found["patient_id"])
        return FoundStays(frame_of(FOUND_STAY_COLUMNS, found), frame_of(EXCLUDED_COLUMNS, set_aside))

    def rows(
        self, rule: EncounterRule, start: datetime | None = None, as_of: datetime | None = None
    ) -> tuple[list[Stay], list[Excluded]]:
        """Returns the same stays, and the Encounters set aside, as rows: for one patient, frames take far longer."""
        asked = self._asked(rule, start, as_of)
        stays, set_aside = self._split(self._in_order(), asked)
        instead = self._succeeded_by(stay.patient_id for stay in stays)
        named = [stay._replace(succeeded_by=others) for stay, others in zip(stays, instead, strict=True)]
        return named, [*set_aside, *self._nameless_rows(asked)]

    def encounter(self, key: str) -> Resource | None:
        """Returns what is kept of an Encounter; None if it was not added."""
        packed = self._encounters.by_id.get(key)
        return None if packed is None else pickle.loads(packed)

    def _asked(self, rule: EncounterRule, start: datetime | None, as_of: datetime | None) -> "_Asked":
        return _Asked(
            rule,
            fhir_locations.inside(self.locations, rule.locations),
            micros(start) if start else EARLIEST,
            micros(as_of) if as_of else None,
        )

    def _in_order(self) -> list[bytes]:
        return [packed for _, packed in sorted(self._encounters.by_id.items())]

    def _split(self, encounters: Iterable[bytes], asked: "_Asked") -> tuple[list[Stay], list[Excluded]]:
        """Returns those of the Encounters that are stays, without `succeeded_by`, and those that cannot be used."""
        rows = [row for packed in encounters for row in self._row(pickle.loads(packed), asked)]
        return [row for row in rows if isinstance(row, Stay)], [row for row in rows if isinstance(row, Excluded)]

    def missing_wholes(self, stay_ids: Iterable[str], rule: EncounterRule) -> list[str]:
        """Returns the ids of the Encounters that are missing to tell when these stays began in the hospital."""
        return sorted({self._hospital_begin(key, rule).missing for key in stay_ids} - {""})

    def with_hospital_begins(self, found: FoundStays, rule: EncounterRule) -> FoundStays:
        """Returns the stays with the begins of their hospital stays as they are known now."""
        begins = [self._hospital_begin(key, rule) for key in found.stays["stay_id"]]
        stays = found.stays.assign(
            hospital_begin=times_of([one.begin for one in begins]), hospital_unknown=[one.reason for one in begins]
        )
        return FoundStays(frame_of(FOUND_STAY_COLUMNS, stays), found.set_aside)

    def _hospital_begin(self, stay_id: str, rule: EncounterRule) -> HospitalBegin:
        encounter = pickle.loads(self._encounters.by_id[stay_id])
        return hospital_begin(encounter, rule.is_of_more(encounter), self._whole)

    def _whole(self, key: str) -> Resource | None:
        packed = self._encounters.by_id.get(key) or self._wholes.by_id.get(key)
        return None if packed is None else pickle.loads(packed)

    def _nameless_rows(self, asked: "_Asked") -> list[Excluded]:
        """Returns Encounters without a usable id that would be stays: set aside, under names that cannot be ids."""
        found = [row for _, one in sorted(self._nameless.items()) for row in self._row(one, asked)]
        return [
            Excluded(f"(no usable id) {number}", row.patient_id, MALFORMED) for number, row in enumerate(found, start=1)
        ]

    def _row(self, encounter: Resource, asked: "_Asked") -> list[Stay | Excluded]:
        """Returns one stay or one Encounter set aside; nothing if it is not a stay of this span."""
        key, patient = str(encounter.get("id")), ""
        try:
            counted = asked.bounds(encounter)
            patient = patient_of(encounter)
            return [self._stay(encounter, key, patient, counted, asked)] if counted else []
        except _Unusable as reason:
            return [Excluded(key, patient, str(reason))]
        except (AttributeError, TypeError, ValueError):
            return [Excluded(key, patient, MALFORMED)]

    def _stay(self, encounter: Resource, key: str, patient: str, counted: Sequence[Bounds], asked: "_Asked") -> Stay:
        subject = encounter.get("subject")
        if patient and contradicts(subject, "Patient"):
            raise _Unusable(MALFORMED)
        if not patient:
            raise _Unusable(FOREIGN_REFERENCE if is_foreign(subject) else NO_SUBJECT)
        if is_modified(encounter) or any(is_modified(part) for part in list_in(encounter, "location")):
            raise _Unusable(MODIFIED)
        person = person_of(self._patient(patient), asked.until)
        if person.barred in (MODIFIED, MALFORMED_PATIENT):
            raise _Unusable(person.barred)
        status, (intime, outtime) = encounter.get("status"), _times(counted, asked.as_of)
        born_from = _midnight(person.born_from)
        born_by = born_from if person.born_by == person.born_from else _midnight(person.born_by)
        of_hospital = hospital_begin(encounter, asked.rule.is_of_more(encounter), self._whole)
        return Stay(
            stay_id=key,
            patient_id=patient,
            intime=intime,
            outtime=outtime,
            unit_begin=unit_begin(asked.counted(encounter), asked.as_of),
            hospital_begin=of_hospital.begin,
            birth_date=born_by if born_from == born_by else UNKNOWN,
            sex=person.sex,
            unit=self._unit(encounter, asked),
            status=status if isinstance(status, str) else "",
            born_from=born_from,
            born_by=born_by,
            barred=person.barred,
            hospital_unknown=of_hospital.reason,
            part_of=id_in(encounter.get("partOf"), "Encounter"),
        )

    def _unit(self, encounter: Resource, asked: "_Asked") -> str:
        """Returns the name of the Encounter's last Location, or of the requested one that this is a part of."""
        parts = list(stints(encounter))
        starts = [micros_of((part.get("period") or {}).get("start")) for _, part in parts]
        begun = [place for place, start in enumerate(starts) if start <= asked.until]
        if not begun:
            return ""
        location, part = parts[max(begun, key=lambda place: (starts[place], place))]
        name = self.locations.get(asked.places.get(location, location), {}).get("name")
        return str(name or (part.get("location") or {}).get("display") or "")

    def _succeeded_by(self, patients: Iterable[str]) -> list[str]:
        """Returns, for each patient, the same person's records that take precedence, among those of these patients."""
        patients = list(patients)
        known = ((key, self._patient(key) or {}) for key in dict.fromkeys(patients))
        instead = successors({key: patient for key, patient in known if patient.get("link")})
        return [" ".join(sorted(instead.get(key, ()))) for key in patients]


def _elements_of(resource: Resource, kind: str) -> Resource:
    return {name: resource[name] for name in ELEMENTS[kind] if name in resource}


def _too_deep(elements: Resource) -> Resource:
    return {name: value if name == "id" else _TOO_DEEP for name, value in elements.items()}


def _frame(stays: Sequence[Stay]) -> pd.DataFrame:
    """Returns stays as a frame, which takes a tenth of the memory of the rows."""
    columns = {name: kind for name, kind in FOUND_STAY_COLUMNS.items() if name != "succeeded_by"}
    of_stays = zip(*stays, strict=True) if stays else ((),) * len(Stay._fields)
    rows: dict[str, Any] = dict(zip(Stay._fields, of_stays, strict=True))
    times = {name: times_of(rows[name]) for name in _TIMES}
    births = {name: times_of(rows[name]).dt.tz_localize(None) for name in _BIRTHS}
    return frame_of(columns, {name: list(rows[name]) for name in columns} | times | births)


def _midnight(day: datetime | None) -> int:
    return UNKNOWN if day is None else micros(day.replace(tzinfo=UTC))


class _Asked(NamedTuple):
    """Which stays are searched for: the rule, the Locations that count with the requested ones, and the time span."""

    rule: EncounterRule
    places: Mapping[str, str]
    start: int
    as_of: int | None

    @property
    def until(self) -> int:
        return LATEST if self.as_of is None else self.as_of

    def counted(self, encounter: Resource) -> list[Bounds]:
        """Returns the times of the Encounter that count."""
        return self.rule.bounds(encounter, bounds_of(encounter.get("period")), self.places)

    def bounds(self, encounter: Resource) -> list[Bounds]:
        """Returns those of them that may overlap the span."""
        whole = bounds_of(encounter.get("period"))
        counted = self.counted(encounter)
        # An Encounter without any time belongs to no known span, and cannot be found by date.
        lost = self.as_of is not None and whole.is_timeless and encounter.get("status") not in GOING_ON
        if lost or not whole.may_overlap(self.start, self.until):
            return []
        return [one for one in counted if one.may_overlap(self.start, self.until)]


class _Unusable(Exception):
    """The reason why an Encounter cannot be a stay."""


def _may_be_of(encounter: Resource, start: int, until: int) -> bool:
    try:
        return bounds_of(encounter.get("period")).may_overlap(start, until)
    except AttributeError:
        return False


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
