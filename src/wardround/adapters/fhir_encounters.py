"""Encounters, Patients and Locations as plain dicts in; ICU stays, and Encounters that cannot be used, out."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import pandas as pd

from wardround.adapters.fhir_references import (
    FOREIGN_REFERENCE,
    Bases,
    Resource,
    contradicts,
    is_foreign,
    is_id,
    locations_of,
    patient_of,
)
from wardround.adapters.fhir_times import UNKNOWN, micros, micros_of, times_of
from wardround.core.events import frame_of
from wardround.core.stays import EXCLUDED_COLUMNS, STAY_COLUMNS, FoundStays

NO_SUBJECT: Final = "no_subject"
NO_PERIOD: Final = "no_period"  # no start, or a start or end that is a date or no time at all
MALFORMED: Final = "malformed"  # not shaped like an Encounter, or without a usable id
_LATEST: Final = 2**63 - 1
# What of a resource is kept: a ward's Encounters and Patients are in memory together.
_ELEMENTS: Final = {
    "Encounter": ("id", "status", "class", "subject", "period", "location"),
    "Patient": ("gender", "birthDate"),
    "Location": ("name", "alias"),
}


class IcuRule(NamedTuple):
    """What makes an Encounter an ICU stay: its class (`code` or `system|code`), or time in a Location (by id).

    An Encounter with an ICU class counts for its whole period, any other for its time in ICU Locations.
    """

    classes: frozenset[str]
    locations: frozenset[str]

    def periods(self, encounter: Resource) -> list[Resource]:
        """The periods that count; none if the Encounter is no ICU stay."""
        coding = encounter.get("class") or {}
        period = encounter.get("period") or {}
        if self.classes & {coding.get("code"), f"{coding.get('system')}|{coding.get('code')}"}:
            return [period]
        stints = zip(locations_of(encounter), encounter.get("location") or [], strict=False)
        return [stint.get("period") or period for location, stint in stints if location in self.locations]


class Census:
    """Encounters and the Patients and Locations that they refer to, each once by id; their references are `bases`'."""

    def __init__(self, bases: Bases) -> None:
        self._bases = bases
        self._kept: dict[str, dict[str, Resource]] = {kind: {} for kind in _ELEMENTS}
        # Encounters without a usable id, each once by what they say: nothing else tells two of them apart.
        self._nameless: dict[str, Resource] = {}

    def add(self, resources: Iterable[Resource]) -> None:
        """Keeps Encounters, Patients and Locations, of each id the last."""
        for resource in resources:
            kind, key = str(resource.get("resourceType")), resource.get("id")
            if kind in _ELEMENTS:
                elements = {name: resource[name] for name in _ELEMENTS[kind] if name in resource}
                self._keep(kind, key, self._bases.localised(elements))

    def _keep(self, kind: str, key: object, elements: Resource) -> None:
        if is_id(key):
            self._kept[kind][str(key)] = elements
        elif kind == "Encounter":
            elements.pop("id", None)
            self._nameless[json.dumps(elements, sort_keys=True)] = elements

    def missing(self) -> dict[str, list[str]]:
        """Ids of Patients and Locations that Encounters refer to and that were not added, by type."""
        patients: set[str] = set()
        locations: set[str] = set()
        for encounter in self._kept["Encounter"].values():
            patients.add(patient_of(encounter))
            locations |= set(locations_of(encounter))
        return {
            "Patient": sorted(patients - set(self._kept["Patient"]) - {""}),
            "Location": sorted(locations - set(self._kept["Location"]) - {""}),
        }

    def locations_called(self, name: str) -> list[str]:
        """Ids of the Locations with this id, name or alias; case does not matter in names."""
        wanted = name.casefold()
        return [
            key
            for key, location in self._kept["Location"].items()
            if key == name.removeprefix("Location/")
            or wanted in (str(text).casefold() for text in (location.get("name"), *location.get("alias", [])))
        ]

    def stays(self, rule: IcuRule, start: datetime | None = None, as_of: datetime | None = None) -> FoundStays:
        """The ICU stays that overlap [start, as_of], sorted by id; without them, all."""
        span = (micros(start) if start else UNKNOWN, micros(as_of) if as_of else _LATEST)
        rows: list[Mapping[str, Any]] = []
        for key in sorted(self._kept["Encounter"]):
            rows += self._row(self._kept["Encounter"][key], rule, span)
        rows += self._nameless_rows(rule, span)
        stays = pd.DataFrame([row for row in rows if "reason" not in row], columns=list(STAY_COLUMNS))
        times = {name: times_of(stays[name].to_list()) for name in ("intime", "outtime")}
        set_aside = [row for row in rows if "reason" in row]
        return FoundStays(frame_of(STAY_COLUMNS, stays.assign(**times)), frame_of(EXCLUDED_COLUMNS, set_aside))

    def _nameless_rows(self, rule: IcuRule, span: tuple[int, int]) -> list[Mapping[str, Any]]:
        """Encounters without a usable id that would be stays: set aside, under names that no id can have."""
        found = [row for _, one in sorted(self._nameless.items()) for row in self._row(one, rule, span)]
        return [
            {"stay_id": f"(no usable id) {number}", "patient_id": row["patient_id"], "reason": MALFORMED}
            for number, row in enumerate(found, start=1)
        ]

    def _row(self, encounter: Resource, rule: IcuRule, span: tuple[int, int]) -> list[Mapping[str, Any]]:
        """One stay or one Encounter set aside; nothing if it is no ICU stay of this span."""
        ids = {"stay_id": encounter.get("id"), "patient_id": ""}
        try:
            bounds = [_bounds(period) for period in rule.periods(encounter)]
            inside = [(begin, end) for begin, end in bounds if begin <= span[1] and (end == UNKNOWN or end >= span[0])]
            ids["patient_id"] = patient_of(encounter)
            return [{**ids, **self._stay(encounter, inside, until=span[1])}] if inside else []
        except _Unusable as reason:
            return [{**ids, "reason": str(reason)}]
        except (AttributeError, TypeError):
            return [{**ids, "reason": MALFORMED}]

    def _stay(self, encounter: Resource, bounds: Sequence[tuple[int, int]], until: int) -> Mapping[str, Any]:
        subject = encounter.get("subject")
        patient = patient_of(encounter)
        if patient and contradicts(subject, "Patient"):
            raise _Unusable(MALFORMED)
        if not patient:
            raise _Unusable(FOREIGN_REFERENCE if is_foreign(subject) else NO_SUBJECT)
        about = self._kept["Patient"].get(patient, {})
        ends = [end for _, end in bounds]
        return {
            "intime": min(begin for begin, _ in bounds),
            "outtime": UNKNOWN if UNKNOWN in ends else max(ends),
            "birth_date": birth_date_of(about),
            "sex": about.get("gender"),
            "unit": self._unit(encounter, until),
            "status": encounter.get("status", ""),
        }

    def _unit(self, encounter: Resource, until: int) -> str:
        """The name of the Location that the Encounter was in last, up to `until`."""
        stints = encounter.get("location") or []
        starts = [micros_of((stint.get("period") or {}).get("start")) for stint in stints]
        begun = [place for place, start in enumerate(starts) if start <= until]
        if not begun:
            return ""
        last = max(begun, key=lambda place: (starts[place], place))
        name = self._kept["Location"].get(locations_of(encounter)[last], {}).get("name")
        return str(name or stints[last].get("location", {}).get("display") or "")


class _Unusable(Exception):
    """Why an Encounter cannot be a stay."""


def birth_date_of(patient: Resource) -> datetime | None:
    """birthDate, if it is a whole date: a year or month alone gives no age at as_of."""
    try:
        birth_date = date.fromisoformat(str(patient.get("birthDate", "")))
    except ValueError:
        return None
    return datetime(birth_date.year, birth_date.month, birth_date.day)  # noqa: DTZ001 (a date has no zone)


def _bounds(period: Resource) -> tuple[int, int]:
    begin, end = micros_of(period.get("start")), micros_of(period.get("end"))
    if begin == UNKNOWN or (period.get("end") and end == UNKNOWN):
        raise _Unusable(NO_PERIOD)
    return begin, end
