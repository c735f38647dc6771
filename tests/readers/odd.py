"""Makes odd resources of the kinds that servers and tools were reported to produce: seeded, so that failures repeat.

Each patient has one stay and usual readings; then some elements of some of its resources are made odd.
"""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

Resource = dict[str, Any]
Oddity = Callable[["_Maker", Resource], None]

AS_OF = datetime(2026, 3, 10, 5, tzinfo=UTC)
LOINC, UCUM, SNOMED = "http://loinc.org", "http://unitsofmeasure.org", "http://snomed.info/sct"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ELSEWHERE = "https://elsewhere.example.org/fhir"
READINGS = {
    "8867-4": (90, "/min"), "9279-1": (18, "/min"), "8310-5": (37.2, "Cel"), "8480-6": (118, "mm[Hg]"),
    "8478-0": (82, "mm[Hg]"), "2524-7": (2.1, "mmol/L"), "2160-0": (1.1, "mg/dL"), "777-3": (210, "10*3/uL"),
    "1975-2": (0.8, "mg/dL"), "6690-2": (9.1, "10*3/uL"), "718-7": (11.2, "g/dL"), "2951-2": (139, "mmol/L"),
}  # fmt: skip


def odd_resources(patients: int, seed: int) -> list[Resource]:
    """Returns the resources of a number of patients, in the order in which a server gets them."""
    return [one for number in range(patients) for one in _Maker(number, random.Random(f"{seed}:{number}")).made()]


class _Maker:
    def __init__(self, number: int, chance: random.Random) -> None:
        self.number = number
        self.chance = chance
        self.patient = f"odd-{number}"

    def made(self) -> Iterator[Resource]:
        patient = {"resourceType": "Patient", "id": self.patient, "gender": "female", "birthDate": "1961-04-05"}
        stay = {
            "resourceType": "Encounter",
            "id": f"stay-{self.number}",
            "status": "in-progress",
            "class": {"system": ACT, "code": "ACUTE"},
            "subject": {"reference": f"Patient/{self.patient}"},
            "period": {"start": self.before(hours=30)},
        }
        kind = self.number % 3
        if kind == 0:
            self.chance.choice(PATIENTS)(self, patient)
        if kind == 1:
            self.chance.choice(ENCOUNTERS)(self, stay)
        yield patient
        yield stay
        yield from self.readings(odd=0.9 if kind == 2 else 0.2)

    def readings(self, odd: float) -> Iterator[Resource]:
        for place in range(14):
            code = self.chance.choice(sorted(READINGS))
            reading = self.reading(f"{self.number}-{place}", code)
            if self.chance.random() < odd:
                self.chance.choice(OBSERVATIONS)(self, reading)
            later = reading.pop("_later", None)
            yield reading
            if later is not None:
                yield later

    def reading(self, name: str, code: str) -> Resource:
        value, unit = READINGS[code]
        time = self.before(hours=self.chance.uniform(0.2, 23))
        return {
            "resourceType": "Observation",
            "id": f"o-{name}",
            "status": "final",
            "code": {"coding": [{"system": LOINC, "code": code}]},
            "subject": {"reference": f"Patient/{self.patient}"},
            "effectiveDateTime": time,
            "issued": time,
            "valueQuantity": {
                "value": round(value * self.chance.uniform(0.8, 1.2), 2),
                "unit": unit,
                "system": UCUM,
                "code": unit,
            },
        }

    def before(self, hours: float) -> str:
        return (AS_OF - timedelta(hours=hours)).replace(microsecond=0).isoformat()


def _set(**elements: Any) -> Oddity:
    """Sets each element to its value; a trailing _ is dropped from the name, and None removes the element."""

    def change(_: _Maker, resource: Resource) -> None:
        for name, value in elements.items():
            resource.pop(name.rstrip("_"), None)
            if value is not None:
                resource[name.rstrip("_")] = value

    return change


def _quantity(**elements: Any) -> Oddity:
    def change(_: _Maker, resource: Resource) -> None:
        quantity = {**resource["valueQuantity"], **elements}
        resource["valueQuantity"] = {name: value for name, value in quantity.items() if value is not None}

    return change


def _unit(unit: str) -> Oddity:
    return _quantity(unit=unit, code=unit)


def _timed(shape: Callable[[str], Resource]) -> Oddity:
    """Returns the elements that state the time, made from the usual time."""

    def change(_: _Maker, resource: Resource) -> None:
        time = resource.pop("effectiveDateTime")
        resource.pop("issued")
        resource.update(shape(time))

    return change


def _panel(panel: str, **more: Any) -> Oddity:
    """Returns a panel whose components have the generic pressure codes."""

    def change(_: _Maker, resource: Resource) -> None:
        del resource["valueQuantity"]
        parts = {"8480-6": 28, "8462-4": 12, "8478-0": 18}
        resource["component"] = [
            {
                "code": {"coding": [{"system": LOINC, "code": code}]},
                "valueQuantity": {"value": value, "code": "mm[Hg]", "system": UCUM},
            }
            for code, value in parts.items()
        ]
        resource["code"] = {"coding": [{"system": LOINC, "code": panel}]}
        resource.update(more)

    return change


def _corrected(**elements: Any) -> Oddity:
    """Returns a later version of the same id."""

    def change(maker: _Maker, resource: Resource) -> None:
        resource["meta"] = {"versionId": "1", "lastUpdated": maker.before(hours=0.1)}
        later = {**resource, "meta": {"versionId": "2", "lastUpdated": maker.before(hours=0.05)}}
        _set(**elements)(maker, later)
        resource["_later"] = later

    return change


def _about(reference: Callable[["_Maker"], Any]) -> Oddity:
    def change(maker: _Maker, resource: Resource) -> None:
        resource["subject"] = reference(maker)

    return change


def _coded(*codings: Resource) -> Oddity:
    return _set(code={"coding": list(codings)})


_UNKNOWN = [{"url": "http://example.org/unknown-modifier", "valueBoolean": True}]
_NEWBORN = [{"reference": "Patient/newborn"}]
_ABSENT = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "error"}]}
_SITE = {"coding": [{"system": SNOMED, "code": "81040000", "display": "Pulmonary artery structure"}]}

OBSERVATIONS: list[Oddity] = [
    *(_unit(unit) for unit in ("mmol/l", "mg/dl", "1/min", "{Beats}/min", "/nL", "10*9/l", "10*3/mm3", "g/l")),
    *(_unit(unit) for unit in ("umol/L", "kPa", "[degF]", "K", "1", "furlong", "MMOL/L", "mmHg", "C", "%")),
    _quantity(unit=None, code=None, system=None),
    _quantity(code=None, system=None),
    _quantity(system="http://example.org/units"),
    _quantity(comparator="<"),
    _quantity(value=None),
    _quantity(value=-4),
    _quantity(value=0),
    _quantity(value=1e30),
    *(_set(status=status) for status in ("entered-in-error", "cancelled", "preliminary", "registered", "unknown")),
    _set(dataAbsentReason=_ABSENT),
    _set(dataAbsentReason=_ABSENT, valueQuantity=None),
    _set(focus=_NEWBORN),
    _set(modifierExtension=_UNKNOWN),
    _set(implicitRules="http://example.org/rules"),
    _set(bodySite=_SITE),
    _set(method={"text": "estimated"}),
    _set(specimen={"display": "ascites"}),
    _set(valueQuantity=None, valueString="normal"),
    _set(valueQuantity=None, valueInteger=7),
    _set(valueQuantity=None),
    _panel("85354-9"),
    _panel("55284-4"),
    _panel("76284-9"),
    _panel("85354-9", bodySite=_SITE),
    _panel("85354-9", focus=_NEWBORN),
    _panel("8480-6"),
    _timed(lambda time: {"effectiveInstant": time}),
    _timed(lambda time: {"effectivePeriod": {"start": time}}),
    _timed(lambda time: {"effectivePeriod": {"start": "2026-03-08T05:00:00Z", "end": time}}),
    _timed(lambda time: {"effectiveDateTime": time[:10]}),
    _timed(lambda time: {"effectiveDateTime": time, "issued": "2026-03-10T06:00:00Z"}),
    _timed(lambda time: {"effectiveDateTime": time, "issued": "2026-03-01T06:00:00Z"}),
    _timed(lambda _: {"effectiveDateTime": "2026-03-10T05:30:00Z"}),
    _timed(lambda time: {"effectiveDateTime": time.replace("+00:00", ".250Z")}),
    _corrected(valueQuantity={"value": 3.9, "code": "mmol/L", "system": UCUM}),
    _corrected(status="entered-in-error"),
    _corrected(code={"coding": [{"system": LOINC, "code": "8302-2"}]}),
    _corrected(subject={"reference": "Patient/odd-0"}),
    _corrected(effectiveDateTime="2026-01-01T00:00:00Z"),
    _about(lambda maker: {"reference": f"{ELSEWHERE}/Patient/{maker.patient}"}),
    _about(lambda maker: {"reference": f"Patient/{maker.patient}/_history/1"}),
    _about(lambda maker: {"reference": f"Patient/{maker.patient}", "type": "Group"}),
    _set(subject={"display": "somebody"}),
    _about(lambda maker: {"identifier": {"system": "urn:mrn", "value": maker.patient}}),
    _about(lambda maker: {"reference": f"Group/{maker.patient}"}),
    _coded({"system": "http://example.org/codes", "code": "8867-4"}),
    _coded({"code": "8867-4"}),
    _coded({"system": LOINC, "code": "8867-4"}, {"system": LOINC, "code": "9279-1"}),
    _coded({"system": "http://example.org/codes", "code": "hr"}, {"system": LOINC, "code": "8867-4"}),
    _coded({"system": LOINC, "code": "8867-41"}),
]
PATIENTS: list[Oddity] = [
    _set(birthDate="1961"),
    _set(birthDate="1961-04"),
    _set(birthDate=None),
    _set(birthDate="2020-01-01"),
    _set(birthDate="2008"),
    _set(deceasedBoolean=True),
    _set(deceasedBoolean=False),
    _set(deceasedDateTime="2026-03-10T02:30:00Z"),
    _set(deceasedDateTime="2026-03-10T07:30:00Z"),
    _set(deceasedDateTime="2026-03-09"),
    _set(deceasedDateTime="2026-03-10"),
    _set(active=False),
    _set(active=True),
    _set(active=False, link=[{"other": {"reference": "Patient/odd-2"}, "type": "replaced-by"}]),
    _set(link=[{"other": {"reference": "Patient/odd-2"}, "type": "seealso"}]),
    _set(modifierExtension=_UNKNOWN),
    _set(gender=None),
    _set(gender="unknown"),
]
ENCOUNTERS: list[Oddity] = [
    _set(period=None),
    _set(period={"start": "2026-03-09"}),
    _set(period={"start": "2026-03-08"}),
    _set(period={"start": "2026-03"}),
    _set(period={"end": "2026-03-11T05:00:00Z"}),
    _set(period={"start": "2026-03-09T05:00:00Z", "end": "2026-03-08T05:00:00Z"}),
    _set(period={"start": "2026-03-09T05:00:00Z", "end": "2026-03-09T20:00:00Z"}, status="finished"),
    _set(period={"start": "2026-03-09T05:00:00Z", "end": "2026-03-11"}),
    _set(period={"start": "2026-03-10T09:00:00Z"}),
    *(_set(status=status) for status in ("planned", "arrived", "triaged", "onleave", "finished", "cancelled")),
    _set(status="entered-in-error"),
    _set(status="unknown"),
    _set(class_={"code": "ACUTE"}),
    _set(class_={"system": "http://example.org/classes", "code": "ACUTE"}),
    _set(class_={"system": ACT, "code": "IMP"}),
    _set(modifierExtension=_UNKNOWN),
    _set(implicitRules="http://example.org/rules"),
    _about(lambda maker: {"reference": f"{ELSEWHERE}/Patient/{maker.patient}"}),
    _set(subject={"reference": "Patient/nobody"}),
    _set(subject={"display": "somebody"}),
    _about(lambda maker: {"reference": f"Group/{maker.patient}"}),
    _set(subject=None),
]
