"""A visit of the hospital, and the segments that describe it and its person.

It sees patient values, though made-up ones; it never logs.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from wardround.demo.hospital.hl7_text import components, repetitions, segment, timestamp
from wardround.demo.hospital.people import Person
from wardround.demo.hospital.places import FACILITY, PEOPLE_AUTHORITY, VISITS_AUTHORITY
from wardround.demo.hospital.stays import Stay

_COUNTRY: Final = "XX"
_DOCTOR: Final = ("D1001", "Beispiel", "Ada", "", "", "Dr.")


@dataclass
class Visit:
    """One visit of a person: where they lie, as what, and since when.

    Attributes:
        stay: the stay in the unit whose chart the FHIR server gets; None for visits that never come to one.
        before: the unit they came from; empty at first.
    """

    number: str
    person: Person
    visit_class: str
    unit: str
    bed: str
    admitted: datetime
    stay: Stay | None = None
    before: str = ""
    is_open: bool = True
    moves: int = field(default=0)

    def move(self, unit: str, bed: str) -> None:
        """Puts the visit into another unit."""
        self.before, self.unit, self.bed = self.unit, unit, bed
        self.moves += 1


def pid(person: Person) -> str:
    """Returns the segment of the person: the record number of our authority is one of several, and not the first."""
    numbers = [
        components(f"SSN{person.number[-6:]}", "", "", "WRDEMO_INS", "SS"),
        components(person.number, "", "", PEOPLE_AUTHORITY, "MR", FACILITY),
    ]
    return segment(
        "PID",
        {
            1: "1",
            3: repetitions(numbers),
            5: components(person.family, person.given, "", "", "", "", "L"),
            7: person.born.strftime("%Y%m%d"),
            8: person.sex,
            11: components(person.street, "", "Testville", "", "00000", _COUNTRY, "H"),
            13: "",
            18: "",
        },
    )


def pv1(visit: Visit, zoned: bool = True) -> str:
    """Returns the segment of the visit, where it is now."""
    fields = {
        1: "1",
        2: visit.visit_class,
        3: _location(visit.unit, visit.bed),
        6: _location(visit.before, "") if visit.before else "",
        7: components(*_DOCTOR),
        10: "MED",
        19: components(visit.number, "", "", VISITS_AUTHORITY, "VN"),
        44: timestamp(visit.admitted, zoned),
    }
    return segment("PV1", fields)


def mrg(number: str) -> str:
    """Returns the segment that names the record number that was merged into the person's."""
    return segment("MRG", {1: components(number, "", "", PEOPLE_AUTHORITY, "MR", FACILITY)})


def _location(unit: str, bed: str) -> str:
    return components(unit, bed[:2], bed[2:], FACILITY)
