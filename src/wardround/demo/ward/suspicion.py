"""What is ordered and given where infection is suspected or pressure fails: cultures, antibiotics, vasopressors, urine.

With the vital signs and the laboratory results these make Sepsis-3 in the synthetic ward: suspicion follows the onset
of a septic stay's response by hours, and catecholamines raise its SOFA then. Others are suspected or treated by chance.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from wardround.demo.ward.course import Course
from wardround.demo.ward.patients import HOUR, WardPatients

SUSPECTED_BY_CHANCE: Final = 0.08
TREATED_BY_CHANCE: Final = 0.10
"""Antibiotics without a culture: before an operation, or out of habit."""
SHOCK_FROM: Final = 0.9
"""Size of the response from which catecholamines run."""
PRESSORS_BY_CHANCE: Final = 0.04

URINE_EVERY: Final = 4
_URINE: Final = 250
"""Millilitres in URINE_EVERY hours."""


@dataclass(frozen=True)
class Orders:
    """What happened to some of the stays: the stay's position in the patients, begin and end in UTC seconds, a number
    (dose in mcg/kg/min, volume in mL, or the place in a list of drugs)."""

    stay: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    value: np.ndarray

    def each(self, value: str | int) -> np.ndarray:
        """The value once for every order; typed even where there is none."""
        return np.full(len(self.stay), value)

    def known(self, now: int) -> "Orders":
        """What began by `now`."""
        keep = self.start <= now
        return Orders(self.stay[keep], self.start[keep], np.minimum(self.stop[keep], now), self.value[keep])


@dataclass(frozen=True)
class Treatment:
    """Everything of a batch of stays."""

    cultures: Orders
    antibiotics: Orders
    vasopressors: Orders
    urine: Orders


def treat(patients: WardPatients, course: Course, rng: np.random.Generator) -> Treatment:
    """The orders of all stays up to the end of each."""
    n = len(patients.hours)
    begins = np.where(patients.septic, patients.illness.onset, rng.uniform(-6, 40, n))
    culture = np.maximum(begins + rng.uniform(1, 4, n), -4)
    given = np.maximum(culture + rng.uniform(0.2, 2.5, n), 0.3)
    chance = rng.random(n)
    suspected = patients.septic | (chance < SUSPECTED_BY_CHANCE)
    antibiotic = suspected | (chance > 1 - TREATED_BY_CHANCE)
    shock = patients.septic & (patients.illness.intensity > SHOCK_FROM)
    pressor = shock | (rng.random(n) < PRESSORS_BY_CHANCE)
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
    """Orders of the chosen stays that begin before the stay ends, and end with it; whole minutes."""
    stay = np.flatnonzero(chosen & (hour < patients.hours) & ~patients.sparse)
    stop = np.minimum(hour + length, patients.hours)
    minutes = [(patients.intime[stay] + (each[stay] * HOUR).astype(np.int64)) // 60 * 60 for each in (hour, stop)]
    return Orders(stay, minutes[0], np.maximum(minutes[1], minutes[0] + 60), value[stay])


def _urine(patients: WardPatients, course: Course, rng: np.random.Generator) -> Orders:
    """What a catheter gave, every URINE_EVERY hours; less where kidneys fail."""
    entries = (patients.hours // URINE_EVERY).astype(np.int64)
    stay = np.repeat(np.arange(len(entries)), entries)
    number = np.arange(len(stay)) - np.repeat(np.cumsum(entries) - entries, entries) + 1
    hour = number * float(URINE_EVERY)
    severity, infection = course.at(stay, hour)
    output = _URINE * np.exp(-0.1 * severity - 0.12 * infection - 0.15 * patients.organs["kidney"][stay])
    volume = np.round(output * rng.lognormal(0, 0.35, len(stay)) / 5) * 5
    time = (patients.intime[stay] + (hour * HOUR).astype(np.int64)) // 60 * 60
    return Orders(stay, time, time, volume)
