"""Generates what is ordered when infection is suspected or pressure falls: cultures, antibiotics, vasopressors, urine.

With the vital signs and laboratory results these produce Sepsis-3 in the synthetic ward: suspicion follows the onset of
a septic stay's response by hours, and catecholamines then raise its SOFA. Other stays are suspected or treated at
random.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from wardround.demo.ward.course import Course
from wardround.demo.ward.patients import HOUR, WardPatients

_SUSPECTED_BY_CHANCE: Final = 0.08
_TREATED_BY_CHANCE: Final = 0.10
"""Share of stays with antibiotics but no culture: before an operation, or out of habit."""
_SHOCK_FROM: Final = 0.9
"""The response above which catecholamines are given."""
_PRESSORS_BY_CHANCE: Final = 0.04

_URINE_EVERY: Final = 4
_URINE: Final = 250
"""Millilitres per _URINE_EVERY hours."""


@dataclass(frozen=True)
class Orders:
    """Orders of some stays: the stay's position in the patients, start and end in UTC seconds, and a number.

    The number is a dose in mcg/kg/min, a volume in mL, or the position in a list of drugs.
    """

    stay: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    value: np.ndarray

    def each(self, value: str | int) -> np.ndarray:
        """Returns the value once per order; the array has the right type even if there are no orders."""
        return np.full(len(self.stay), value)

    def known(self, now: int) -> "Orders":
        """Returns the orders that began by `now`."""
        keep = self.start <= now
        return Orders(self.stay[keep], self.start[keep], np.minimum(self.stop[keep], now), self.value[keep])


@dataclass(frozen=True)
class Treatment:
    """All orders of a batch of stays."""

    cultures: Orders
    antibiotics: Orders
    vasopressors: Orders
    urine: Orders


def treat(patients: WardPatients, course: Course, rng: np.random.Generator) -> Treatment:
    """Returns the orders of all stays up to the end of each stay."""
    n = len(patients.hours)
    begins = np.where(patients.septic, patients.illness.onset, rng.uniform(-6, 40, n))
    culture = np.maximum(begins + rng.uniform(1, 4, n), -4)
    given = np.maximum(culture + rng.uniform(0.2, 2.5, n), 0.3)
    chance = rng.random(n)
    suspected = patients.septic | (chance < _SUSPECTED_BY_CHANCE)
    antibiotic = suspected | (chance > 1 - _TREATED_BY_CHANCE)
    shock = patients.septic & (patients.illness.intensity > _SHOCK_FROM)
    pressor = shock | (rng.random(n) < _PRESSORS_BY_CHANCE)
    runs = np.maximum(begins + rng.uniform(3, 7, n), 0.5)
    dose = np.round(np.clip(0.08 * patients.illness.intensity + rng.uniform(0.02, 0.1, n), 0.02, 0.5), 3)
    return Treatment(
        cultures=_orders(patients, suspected, culture, 0, np.zeros(n)),
        antibiotics=_orders(patients, antibiotic, given, rng.uniform(24, 120, n), rng.integers(0, 1 << 20, n)),
        vasopressors=_orders(patients, pressor, runs, rng.uniform(8, 40, n), dose),
        urine=_urine(patients, course, rng),
    )


def _orders(
    patients: WardPatients, chosen: np.ndarray, hour: np.ndarray, length: np.ndarray | float, value: np.ndarray
) -> Orders:
    """Returns orders of the chosen stays, in whole minutes: they start before the stay ends, and end with it."""
    stay = np.flatnonzero(chosen & (hour < patients.hours) & ~patients.sparse)
    stop = np.minimum(hour + length, patients.hours)
    minutes = [(patients.intime[stay] + (each[stay] * HOUR).astype(np.int64)) // 60 * 60 for each in (hour, stop)]
    return Orders(stay, minutes[0], np.maximum(minutes[1], minutes[0] + 60), value[stay])


def _urine(patients: WardPatients, course: Course, rng: np.random.Generator) -> Orders:
    """Returns the urine output from a catheter, every `_URINE_EVERY` hours; less if the kidneys fail."""
    entries = (patients.hours // _URINE_EVERY).astype(np.int64)
    stay = np.repeat(np.arange(len(entries)), entries)
    number = np.arange(len(stay)) - np.repeat(np.cumsum(entries) - entries, entries) + 1
    hour = number * float(_URINE_EVERY)
    severity, infection = course.at(stay, hour)
    output = _URINE * np.exp(-0.1 * severity - 0.12 * infection - 0.15 * patients.organs["kidney"][stay])
    volume = np.round(output * rng.lognormal(0, 0.35, len(stay)) / 5) * 5
    time = (patients.intime[stay] + (hour * HOUR).astype(np.int64)) // 60 * 60
    return Orders(stay, time, time, volume)
