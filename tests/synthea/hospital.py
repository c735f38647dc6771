"""Made-up patients in the shapes of Synthea's R4 exports: transaction Bundles, or NDJSON as a bulk export gives it.

Nothing of Wardround is used here: what reads these patients must not have written them. Shapes, codes and units are
those of Synthea 2.5 to 3.3 (its FHIR R4 exporter and its vital signs, sepsis and covid19 modules): panel 55284-4 for
blood pressure in older releases and 85354-9 in newer ones, laboratory panels as DiagnosticReports around Observations
of their own, whole-blood codes of the wellness modules, admissions to intensive care told by Encounter.type alone.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

Resource = dict[str, Any]

NOW = datetime(2026, 3, 10, 5, tzinfo=UTC)
SYNTHEA = "https://github.com/synthetichealth/synthea"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition"

INTENSIVE_CARE = ("305351004", "Admission to intensive care unit (procedure)")
OTHER_TYPES = {
    "AMB": ("185347001", "Encounter for problem (procedure)"),
    "EMER": ("50849002", "Emergency room admission (procedure)"),
    "IMP": ("183452005", "Encounter Inpatient"),
}
# code -> display, unit, low, high, decimals: what the modules draw, somewhat wider.
VITALS = {
    "8867-4": ("Heart rate", "/min", 50, 140, 0),
    "9279-1": ("Respiratory rate", "/min", 12, 40, 0),
    "8310-5": ("Body temperature", "Cel", 35.5, 41, 3),
    "2708-6": ("Oxygen saturation in Arterial blood", "%", 75, 100, 3),
}
ALSO_CODED = {"8310-5": ("8331-1", "Oral temperature"), "2708-6": ("59408-5", "Oxygen saturation by Pulse oximetry")}
PRESSURES = {
    "8462-4": ("Diastolic Blood Pressure", 45, 95),
    "8480-6": ("Systolic Blood Pressure", 80, 170),
}
PRESSURE_PANELS = {"55284-4": "Blood Pressure", "85354-9": "Blood pressure panel with all children optional"}
BLOOD_COUNT = ("58410-2", "Complete blood count (hemogram) panel - Blood by Automated count")
BLOOD_COUNTS = {
    "6690-2": ("Leukocytes [#/volume] in Blood by Automated count", "10*3/uL", 1, 30, 4),
    "789-8": ("Erythrocytes [#/volume] in Blood by Automated count", "10*6/uL", 3.7, 5.8, 4),
    "718-7": ("Hemoglobin [Mass/volume] in Blood", "g/dL", 7, 16, 4),
    "4544-3": ("Hematocrit [Volume Fraction] of Blood by Automated count", "%", 25, 47, 4),
    "777-3": ("Platelets [#/volume] in Blood by Automated count", "10*3/uL", 20, 450, 3),
}
# Of serum in the hospital's modules, of blood in those of the check-ups.
METABOLIC = {
    "24323-8": {
        "2345-7": ("Glucose [Mass/volume] in Serum or Plasma", "mg/dL", 60, 250, 2),
        "3094-0": ("Urea nitrogen [Mass/volume] in Serum or Plasma", "mg/dL", 7, 60, 2),
        "2160-0": ("Creatinine [Mass/volume] in Serum or Plasma", "mg/dL", 0.4, 5, 4),
        "2951-2": ("Sodium [Moles/volume] in Serum or Plasma", "mmol/L", 125, 150, 2),
        "2823-3": ("Potassium [Moles/volume] in Serum or Plasma", "mmol/L", 2.8, 6.5, 4),
        "2028-9": ("Carbon dioxide, total [Moles/volume] in Serum or Plasma", "mmol/L", 14, 32, 3),
        "1975-2": ("Bilirubin.total [Mass/volume] in Serum or Plasma", "mg/dL", 0.1, 6, 4),
        "1751-7": ("Albumin [Mass/volume] in Serum or Plasma", "g/dL", 2, 5, 4),
    },
    "51990-0": {
        "2339-0": ("Glucose [Mass/volume] in Blood", "mg/dL", 60, 250, 2),
        "6299-2": ("Urea nitrogen [Mass/volume] in Blood", "mg/dL", 7, 60, 2),
        "38483-4": ("Creatinine [Mass/volume] in Blood", "mg/dL", 0.4, 5, 4),
        "2947-0": ("Sodium [Moles/volume] in Blood", "mmol/L", 125, 150, 2),
        "6298-4": ("Potassium [Moles/volume] in Blood", "mmol/L", 2.8, 6.5, 4),
        "20565-8": ("Carbon dioxide, total [Moles/volume] in Blood", "mmol/L", 14, 32, 3),
    },
}
PANEL_NAMES = {
    "24323-8": "Comprehensive metabolic 2000 panel - Serum or Plasma",
    "51990-0": "Basic metabolic panel - Blood",
    "24336-0": "Gas panel - Arterial blood",
}
BLOOD_GAS = {
    "2744-1": ("pH of Arterial blood", "[pH]", 7.0, 7.5, 3),
    "2019-8": ("Carbon dioxide [Partial pressure] in Arterial blood", "mm[Hg]", 25, 70, 3),
    "2703-7": ("Oxygen [Partial pressure] in Arterial blood", "mm[Hg]", 45, 140, 3),
    "1960-4": ("Bicarbonate [Moles/volume] in Arterial blood", "mmol/L", 14, 30, 3),
    "32693-4": ("Lactate [Moles/volume] in Blood", "mmol/L", 0.6, 9, 3),
    "3150-6": ("Inhaled oxygen concentration", "%", 21, 100, 0),
}
# What every patient also has, and no risk is computed from.
BESIDE = {
    "8302-2": ("Body Height", "cm", 150, 195, 1),
    "29463-7": ("Body Weight", "kg", 45, 130, 1),
    "72514-3": ("Pain severity - 0-10 verbal numeric rating [Score] - Reported", "{score}", 0, 10, 0),
}
HOSPITAL = {"Organization": "a-hospital", "Location": "a-hospital-place"}
# Of intensive care: how long before NOW it began, and how long it lasts.
BEGAN_HOURS_AGO = (6, 30)
STAY_HOURS = 70


@dataclass(frozen=True)
class Patient:
    """A patient's resources, which refer to each other by urn:uuid as in a transaction Bundle."""

    resources: list[Resource] = field(default_factory=list)

    def transaction(self, types: frozenset[str]) -> Resource:
        """The Bundle that Synthea posts; `types` is its setting exporter.fhir.included_resources."""
        entries = [
            {
                "fullUrl": f"urn:uuid:{resource['id']}",
                "resource": resource,
                "request": {"method": "POST", "url": resource["resourceType"]},
            }
            for resource in self.resources
            if resource["resourceType"] in types
        ]
        return {"resourceType": "Bundle", "type": "transaction", "entry": entries}

    def lines(self) -> Iterator[Resource]:
        """The resources as a bulk export holds them: with ids of their own, and relative references."""
        targets = {f"urn:uuid:{one['id']}": f"{one['resourceType']}/{one['id']}" for one in self.resources}
        targets |= {f"{kind}?identifier={SYNTHEA}|{name}": f"{kind}/{name}" for kind, name in HOSPITAL.items()}

        def relative(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: relative(item) for key, item in value.items()}
            if isinstance(value, list):
                return [relative(item) for item in value]
            return targets.get(value, value) if isinstance(value, str) else value

        return (relative(resource) for resource in self.resources)


def hospital_information() -> Resource:
    """The Bundle that comes before all patients: the Organization and the Location that they name by identifier."""
    resources = [
        {
            "resourceType": kind,
            "id": name,
            "identifier": [{"system": SYNTHEA, "value": name}],
            **({"active": True} if kind == "Organization" else {"status": "active"}),
            "name": "GENERAL HOSPITAL",
        }
        for kind, name in HOSPITAL.items()
    ]
    entries = [
        {
            "fullUrl": f"urn:uuid:{resource['id']}",
            "resource": resource,
            "request": {
                "method": "POST",
                "url": resource["resourceType"],
                "ifNoneExist": f"identifier={SYNTHEA}|{resource['id']}",
            },
        }
        for resource in resources
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def population(patients: int, seed: int = 1) -> Iterator[Patient]:
    """So many patients; two in three are in intensive care at NOW."""
    for number in range(patients):
        yield _Life(number, random.Random(f"{seed}:{number}")).patient()


def write_ndjson(patients: Iterator[Patient], folder: Path) -> None:
    """A file a type, as a bulk export has them."""
    folder.mkdir(parents=True, exist_ok=True)
    hospital = [entry["resource"] for entry in hospital_information()["entry"]]
    resources = [*hospital, *(line for patient in patients for line in patient.lines())]
    for kind in sorted({resource["resourceType"] for resource in resources}):
        lines = (json.dumps(resource) for resource in resources if resource["resourceType"] == kind)
        (folder / f"{kind}.000.ndjson").write_text("\n".join(lines) + "\n")


class _Life:
    """What happens to one patient."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self._number = number
        self._chance = chance
        self._zone = timezone(timedelta(hours=-5 if number % 2 else -4))
        self._panel = "55284-4" if number % 3 else "85354-9"
        self._made: list[Resource] = []
        self._patient = self._id()

    def patient(self) -> Patient:
        self._add("Patient", self._patient, **self._person())
        self._visit("AMB", NOW - timedelta(days=self._chance.randint(20, 300)), hours=1)
        if self._number % 3 < 2:
            self._admission(NOW - timedelta(hours=self._chance.randint(*BEGAN_HOURS_AGO)))
        elif self._number % 2:
            self._visit("IMP", NOW - timedelta(hours=30), hours=60)
        else:
            # Admitted to intensive care, and gone before NOW.
            self._admission(NOW - timedelta(days=9))
        return Patient(self._made)

    def _person(self) -> Resource:
        born = datetime(1930 + self._chance.randint(0, 70), self._chance.randint(1, 12), self._chance.randint(1, 28))  # noqa: DTZ001
        return {
            "meta": {"profile": [f"{US_CORE}/us-core-patient"]},
            "extension": [
                {"url": f"{US_CORE}/us-core-birthsex", "valueCode": self._chance.choice("FM")},
                {"url": "http://synthetichealth.github.io/synthea/quality-adjusted-life-years", "valueDecimal": 40.1},
            ],
            "identifier": [{"system": SYNTHEA, "value": self._patient}],
            "name": [{"use": "official", "family": f"Family{self._number}", "given": [f"Given{self._number}"]}],
            "gender": self._chance.choice(("female", "male")),
            "birthDate": born.date().isoformat(),
            "maritalStatus": {"text": "Never Married"},
            "multipleBirthBoolean": False,
            "communication": [{"language": {"text": "English (United States)"}}],
        }

    def _admission(self, begin: datetime) -> None:
        emergency = self._visit("EMER", begin - timedelta(hours=3), hours=3)
        self._vitals(emergency, begin - timedelta(hours=2))
        # Past encounters have ended before NOW, the present ones end later: Synthea writes whole lives.
        stay = self._encounter("IMP", INTENSIVE_CARE, begin, begin + timedelta(hours=STAY_HOURS))
        for hour in range(0, 30, 2):
            self._vitals(stay, begin + timedelta(hours=hour, minutes=self._chance.randint(0, 59)))
        for hour in range(1, 30, 8):
            when = begin + timedelta(hours=hour)
            self._report(stay, when, BLOOD_COUNT, BLOOD_COUNTS)
            panel = self._chance.choice(sorted(METABOLIC))
            self._report(stay, when, (panel, PANEL_NAMES[panel]), METABOLIC[panel])
            self._report(stay, when, ("24336-0", PANEL_NAMES["24336-0"]), BLOOD_GAS)
        self._tobacco(stay, begin)

    def _visit(self, kind: str, begin: datetime, hours: float) -> str:
        encounter = self._encounter(kind, OTHER_TYPES[kind], begin, begin + timedelta(hours=hours))
        for code, facts in BESIDE.items():
            self._observation(encounter, begin, code, "vital-signs", facts)
        self._vitals(encounter, begin)
        return encounter

    def _encounter(self, kind: str, kind_of: tuple[str, str], begin: datetime, end: datetime) -> str:
        code, display = kind_of
        return self._add(
            "Encounter",
            meta={"profile": [f"{US_CORE}/us-core-encounter"]},
            status="finished",
            **{"class": {"system": ACT, "code": kind}},
            type=[{"coding": [{"system": SNOMED, "code": code, "display": display}], "text": display}],
            subject=self._subject(),
            participant=[{"individual": {"display": "Dr. Somebody"}}],
            period={"start": self._time(begin), "end": self._time(end)},
            location=[{"location": {"reference": f"Location?identifier={SYNTHEA}|{HOSPITAL['Location']}"}}],
            serviceProvider={
                "reference": f"Organization?identifier={SYNTHEA}|{HOSPITAL['Organization']}",
                "display": "GENERAL",
            },
        )

    def _vitals(self, encounter: str, when: datetime) -> None:
        for code, facts in VITALS.items():
            self._observation(encounter, when, code, "vital-signs", facts)
        self._pressure(encounter, when)

    def _pressure(self, encounter: str, when: datetime) -> None:
        components = [
            {
                "code": self._concept(LOINC, code, display),
                "valueQuantity": self._quantity(self._chance.randint(low, high), "mm[Hg]"),
            }
            for code, (display, low, high) in PRESSURES.items()
        ]
        self._add_observation(
            encounter, when, self._panel, PRESSURE_PANELS[self._panel], "vital-signs", component=components
        )

    def _report(
        self,
        encounter: str,
        when: datetime,
        panel: tuple[str, str],
        tests: dict[str, tuple[str, str, float, float, int]],
    ) -> None:
        results = [self._observation(encounter, when, code, "laboratory", facts) for code, facts in tests.items()]
        self._add(
            "DiagnosticReport",
            status="final",
            category=[self._concept("http://terminology.hl7.org/CodeSystem/v2-0074", "LAB", "Laboratory")],
            code=self._concept(LOINC, *panel),
            subject=self._subject(),
            encounter={"reference": f"urn:uuid:{encounter}"},
            effectiveDateTime=self._time(when),
            issued=self._time(when, ".250"),
            result=[{"reference": f"urn:uuid:{result}"} for result in results],
        )

    def _observation(
        self, encounter: str, when: datetime, code: str, category: str, facts: tuple[str, str, float, float, int]
    ) -> str:
        display, unit, low, high, decimals = facts
        value: float = round(self._chance.uniform(low, high), decimals)
        return self._add_observation(
            encounter, when, code, display, category, valueQuantity=self._quantity(value, unit)
        )

    def _tobacco(self, encounter: str, when: datetime) -> None:
        answer = self._concept(SNOMED, "266919005", "Never smoked tobacco (finding)")
        self._add_observation(
            encounter, when, "72166-2", "Tobacco smoking status", "social-history", valueCodeableConcept=answer
        )

    def _add_observation(
        self, encounter: str, when: datetime, code: str, display: str, category: str, **value: Any
    ) -> str:
        codings = [(code, display), *([ALSO_CODED[code]] if code in ALSO_CODED else [])]
        return self._add(
            "Observation",
            status="final",
            category=[self._concept(CATEGORIES, category, category.title())],
            code={
                "coding": [{"system": LOINC, "code": each, "display": name} for each, name in codings],
                "text": display,
            },
            subject=self._subject(),
            encounter={"reference": f"urn:uuid:{encounter}"},
            effectiveDateTime=self._time(when),
            issued=self._time(when, ".250"),
            **value,
        )

    def _add(self, kind: str, resource_id: str = "", **content: Any) -> str:
        resource_id = resource_id or self._id()
        self._made.append(
            {
                "resourceType": kind,
                "id": resource_id,
                "identifier": [{"use": "official", "system": SYNTHEA, "value": resource_id}],
                **content,
            }
        )
        return resource_id

    def _subject(self) -> Resource:
        return {"reference": f"urn:uuid:{self._patient}", "display": f"Mr. Given{self._number} Family{self._number}"}

    def _id(self) -> str:
        return str(UUID(int=self._chance.getrandbits(128), version=4))

    def _time(self, when: datetime, fraction: str = "") -> str:
        text = when.astimezone(self._zone).replace(microsecond=0).isoformat()
        return text[:19] + fraction + text[19:]

    @staticmethod
    def _quantity(value: float, unit: str) -> Resource:
        return {"value": value, "unit": unit, "system": UCUM, "code": unit}

    @staticmethod
    def _concept(system: str, code: str, display: str) -> Resource:
        return {"coding": [{"system": system, "code": code, "display": display}], "text": display}
