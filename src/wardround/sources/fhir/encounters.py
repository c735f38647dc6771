"""Makes stays from Encounters, Patients and Locations given as dicts, and sets unusable Encounters aside."""

import json
import pickle
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import pandas as pd

from wardround.core.events import frame_of
from wardround.core.exclusion import Excluded, Stay
from wardround.core.microseconds import micros, times_of
from wardround.core.stays import EXCLUDED_COLUMNS, FOUND_STAY_COLUMNS, FoundStays
from wardround.fhir.periods import EARLIEST, LATEST
from wardround.fhir.references import Bases, Resource, is_id, locations_of, patient_of
from wardround.fhir.versions import Newest, last_updated
from wardround.sources.fhir import locations as fhir_locations
from wardround.sources.fhir import people
from wardround.sources.fhir.encounter_rule import EncounterRule
from wardround.sources.fhir.people import successors
from wardround.sources.fhir.stay_of_encounter import MALFORMED, Asked, Known, may_be_of

_TIMES: Final = ("intime", "outtime", "unit_begin", "hospital_begin")
_BIRTHS: Final = ("birth_date", "born_from", "born_by")
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


class EncounterRecords:
    """Encounters and the Patients and Locations that they refer to, each once by id; `bases` resolves references."""

    def __init__(self, bases: Bases) -> None:
        self._bases = bases
        # Packed: those of a hospital are in memory together, and as dicts they take three to five times the memory.
        self._encounters: Newest[bytes] = Newest()
        self._patients: Newest[bytes] = Newest()
        self._locations: Newest[Resource] = Newest()
        # Encounters that are known only because stays are parts of them; they are no stays themselves.
        self._wholes: Newest[bytes] = Newest()
        # Encounters without a usable id, each once by content: nothing else tells two of them apart.
        self._nameless: dict[str, Resource] = {}

    def add(self, resources: Iterable[Resource]) -> None:
        """Keeps Encounters, Patients and Locations, for each id the version that counts."""
        for resource in resources:
            kind, key = str(resource.get("resourceType")), resource.get("id")
            if kind in ELEMENTS:
                elements, updated = _elements_of(resource, kind), last_updated(resource)
                try:
                    self._keep(kind, key, updated, self._bases.localised(elements))
                except RecursionError:
                    self._keep(kind, key, updated, _too_deep(elements))

    def add_wholes(self, resources: Iterable[Resource]) -> None:
        """Keeps Encounters that stays are parts of, which tell when the hospital stay began and are no stays here."""
        for resource in resources:
            if resource.get("resourceType") == "Encounter" and is_id(key := resource.get("id")):
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
            if may_be_of(encounter, *span):
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

    def encounter(self, key: str) -> Resource | None:
        """Returns the Encounter of an id; None if it was not added."""
        return _unpacked(self._encounters, key)

    def whole(self, key: str) -> Resource | None:
        """Returns the same, also if it was added as one that others are parts of."""
        return self.encounter(key) or _unpacked(self._wholes, key)

    def _patient(self, key: str) -> Resource | None:
        return _unpacked(self._patients, key)

    def stays(self, rule: EncounterRule, start: datetime | None = None, as_of: datetime | None = None) -> FoundStays:
        """Returns the stays that may overlap [start, as_of], sorted by id; without these times, all stays.

        A date or a time without a zone counts as anything it may mean. If that decides whether the stay goes on at
        `as_of`, the Encounter is set aside; without `as_of`, only exact times are accepted.
        """
        asked = self._asked(rule, start, as_of)
        encounters = self._in_order()
        stays, set_aside = [_frame([])], list[Excluded]()
        for start_at in range(0, len(encounters), _AT_ONCE):
            some, aside = _split(encounters[start_at : start_at + _AT_ONCE], asked)
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
        stays, set_aside = _split(self._in_order(), asked)
        instead = self._succeeded_by(stay.patient_id for stay in stays)
        named = [stay._replace(succeeded_by=others) for stay, others in zip(stays, instead, strict=True)]
        return named, [*set_aside, *self._nameless_rows(asked)]

    def _asked(self, rule: EncounterRule, start: datetime | None, as_of: datetime | None) -> Asked:
        return Asked(
            rule,
            fhir_locations.inside(self.locations, rule.locations),
            micros(start) if start else EARLIEST,
            micros(as_of) if as_of else None,
            Known(self._patient, self.whole, self.locations),
        )

    def _in_order(self) -> list[bytes]:
        return [packed for _, packed in sorted(self._encounters.by_id.items())]

    def _nameless_rows(self, asked: Asked) -> list[Excluded]:
        """Returns Encounters without a usable id that would be stays: set aside, under names that cannot be ids."""
        found = [row for _, one in sorted(self._nameless.items()) for row in asked.rows(one)]
        return [
            Excluded(f"(no usable id) {number}", row.patient_id, MALFORMED) for number, row in enumerate(found, start=1)
        ]

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


def _unpacked(kept: Newest[bytes], key: str) -> Resource | None:
    packed = kept.by_id.get(key)
    resource: Resource | None = None if packed is None else pickle.loads(packed)
    return resource


def _split(encounters: Iterable[bytes], asked: Asked) -> tuple[list[Stay], list[Excluded]]:
    """Returns those of the Encounters that are stays, without `succeeded_by`, and those that cannot be used."""
    rows = [row for packed in encounters for row in asked.rows(pickle.loads(packed))]
    return [row for row in rows if isinstance(row, Stay)], [row for row in rows if isinstance(row, Excluded)]


def _frame(stays: Sequence[Stay]) -> pd.DataFrame:
    """Returns stays as a frame, which takes a tenth of the memory of the rows."""
    columns = {name: kind for name, kind in FOUND_STAY_COLUMNS.items() if name != "succeeded_by"}
    of_stays = zip(*stays, strict=True) if stays else ((),) * len(Stay._fields)
    rows: dict[str, Any] = dict(zip(Stay._fields, of_stays, strict=True))
    times = {name: times_of(rows[name]) for name in _TIMES}
    births = {name: times_of(rows[name]).dt.tz_localize(None) for name in _BIRTHS}
    return frame_of(columns, {name: list(rows[name]) for name in columns} | times | births)
