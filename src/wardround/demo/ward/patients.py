"""Draws the people and stays of the synthetic ward and their outcomes; all randomness about stays is here."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from wardround.demo.ward.course import Illness
from wardround.demo.ward.items import ORGANS

HOUR: Final = 3600
DAY: Final = 24 * HOUR
OPEN: Final = -1
"""Represents a time that has not been reached yet."""

_SEPTIC_SHARE: Final = 0.2
_INFLAMED_SHARE: Final = 0.12
_ACQUIRED_SHARE: Final = 0.35
"""Share of septic stays whose sepsis begins in the unit, after a quiet start."""
_READMITTED_SHARE: Final = 0.08

# One stay out of so many is of a minor, and one has only just begun, so that there is too little data.
MINOR_EVERY, SPARSE_EVERY = 200, 50
# One discharged stay out of so many ended in the last hours before the ward's time.
RECENT_EVERY: Final = 40


@dataclass(frozen=True)
class Batch:
    """Which stays to generate: `count` open or discharged ones from number `first` on, as of `now` (UTC seconds)."""

    first: int
    count: int
    now: int
    discharged: bool


@dataclass(frozen=True)
class WardPatients:
    """The stays of a batch: arrays with one entry per stay; times are UTC seconds or OPEN."""

    patient: np.ndarray  # number of the person; two stays may have the same one
    number: np.ndarray  # number of the stay, unique in a ward
    age: np.ndarray
    male: np.ndarray
    height: np.ndarray
    weight: np.ndarray
    illness: Illness
    septic: np.ndarray
    organs: dict[str, np.ndarray]
    coded: np.ndarray  # sepsis in the discharge diagnoses
    died: np.ndarray
    ventilated: np.ndarray
    arterial: np.ndarray  # has an arterial line
    celsius: np.ndarray
    sparse: np.ndarray
    emergency: np.ndarray
    hours: np.ndarray  # charted, since intime
    admittime: np.ndarray
    intime: np.ndarray
    outtime: np.ndarray
    dischtime: np.ndarray
    discharged: bool


def make_patients(batch: Batch, rng: np.random.Generator) -> WardPatients:
    """Returns the stays of `batch`; the same batch and generator state give the same stays."""
    n = batch.count
    number = batch.first + np.arange(n)
    patient, again = _people(batch, number)
    minor = (number % MINOR_EVERY == 7) & (not batch.discharged)
    age = np.where(minor, 16, np.clip(rng.normal(64, 15, n).round(), 19, 91)).astype(int)
    male = rng.random(n) < 0.56
    age, male = age[patient - patient[0]], male[patient - patient[0]]
    sparse = (number % SPARSE_EVERY == 13) & (not batch.discharged)
    septic, quiet, illness, length = _illness(batch, age, again, rng)
    died = np.isfinite(illness.death) & batch.discharged
    hours = length if batch.discharged else _elapsed(sparse, rng)
    intime = _begin(batch, number, again, hours, rng)
    outtime = intime + (hours * HOUR).astype(np.int64)
    emergency = rng.random(n) < 0.6
    before = np.where(emergency, rng.uniform(0.2, 3, n), rng.exponential(20, n))
    after = np.where(died & (rng.random(n) < 0.75), 0, rng.gamma(2, 40, n))
    after = np.minimum(after, np.maximum((batch.now - outtime) / HOUR - 0.5, 0))
    very_ill = illness.severity + illness.intensity
    return WardPatients(
        patient=patient,
        number=number,
        age=age,
        male=male,
        height=np.where(male, rng.normal(176, 8, n), rng.normal(163, 7, n)),
        weight=np.clip(rng.normal(79, 18, n), 39, 160),
        illness=illness,
        septic=septic,
        organs={organ: _organ(organ, quiet, rng.normal(0, 1, n)) for organ in ORGANS},
        coded=_coded(septic, illness, rng),
        died=died,
        ventilated=(rng.random(n) < 1 / (1 + np.exp(0.4 - 0.8 * very_ill))) & ~quiet,
        arterial=rng.random(n) < 1 / (1 + np.exp(0.5 - 0.6 * very_ill)),
        celsius=rng.random(n) < 0.11,
        sparse=sparse,
        emergency=emergency,
        hours=hours,
        admittime=intime - (before * HOUR).astype(np.int64),
        intime=intime,
        outtime=outtime if batch.discharged else np.full(n, OPEN),
        dischtime=outtime + (after * HOUR).astype(np.int64) if batch.discharged else np.full(n, OPEN),
        discharged=batch.discharged,
    )


def _people(batch: Batch, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the person of each stay, and whether it is a second stay; some discharged people had an earlier one."""
    second = int(_READMITTED_SHARE * batch.count) if batch.discharged else 0
    again = np.arange(batch.count) >= batch.count - second
    person = np.where(again, number - (batch.count - second), number)
    return person, again


def _illness(
    batch: Batch, age: np.ndarray, again: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, Illness, np.ndarray]:
    """Returns which stays are septic, which of these start quietly, the illness of each stay, and its hours."""
    n = batch.count
    severity = rng.normal(0, 1, n)
    kind = rng.random(n)
    septic = kind < _SEPTIC_SHARE
    inflamed = ~septic & (kind < _SEPTIC_SHARE + _INFLAMED_SHARE)
    size = rng.lognormal(0.2, 0.45, n)
    intensity = np.where(septic, size, np.where(inflamed, 0.45 * size, 0))
    early = rng.random(n) >= _ACQUIRED_SHARE
    onset = np.where(early, rng.uniform(-12, 4, n), _acquired(rng.random(n)))
    quiet = septic & ~early
    severity = np.where(quiet, 0.4 * severity - 1.1, severity)
    length = np.clip(rng.lognormal(np.log(48) + 0.15 * severity, 0.8), 9, 240)
    length = np.where(quiet, onset + 8 + 0.6 * length, length)
    risk = 1 / (1 + np.exp(3.2 - 1.2 * severity - 1.0 * intensity - 0.035 * (age - 64)))
    dies = (rng.random(n) < risk) & ~again  # people who came back did not die before
    # Not all deaths happen in the unit: part of the course is after the end of the stay.
    return (
        septic,
        quiet,
        Illness(severity, intensity, onset, np.where(dies, length + rng.exponential(6, n), np.inf)),
        length,
    )


def _acquired(drawn: np.ndarray) -> np.ndarray:
    """Returns the hours from admission to a sepsis that begins in the unit; `drawn` are numbers from 0 to below 1.

    In a real unit most begin soon, and ever fewer of those who stay long: the hazard falls by half in 17 hours.
    """
    return np.asarray(np.minimum(5 - 25 * np.log1p(-drawn), 125))


def _organ(organ: str, quiet: np.ndarray, trait: np.ndarray) -> np.ndarray:
    """Returns the organ's trait, healthy for quiet starts: below the mean for kidney and liver, above for others."""
    sound = np.abs(trait) * (-0.7 if organ in ("kidney", "liver") else 0.7)
    return np.where(quiet, sound, trait)


def _elapsed(sparse: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns hours since admission of the stays in progress; sparse stays have only just begun."""
    settled = np.clip(rng.lognormal(np.log(27), 0.6, len(sparse)), 5, 96)
    return np.where(sparse, rng.uniform(0.3, 0.9, len(sparse)), settled)


def _begin(
    batch: Batch, number: np.ndarray, again: np.ndarray, hours: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    n = batch.count
    ago = rng.uniform(1.5 * DAY, 720 * DAY, n)
    recent = number % RECENT_EVERY == 5
    ago = np.where(recent, rng.uniform(HOUR, 20 * HOUR, n), ago)
    # An earlier stay ends long before any other stay of the ward begins.
    ago = np.where(again, rng.uniform(760 * DAY, 1100 * DAY, n), ago)
    if not batch.discharged:
        ago = np.zeros(n)
    return np.asarray(batch.now - (ago + hours * HOUR).astype(np.int64))


def _coded(septic: np.ndarray, illness: Illness, rng: np.random.Generator) -> np.ndarray:
    """Returns which stays have sepsis coded: coders miss some sepsis, and code some inflammation as sepsis."""
    chance = np.where(septic, 0.92, np.where(illness.intensity > 0, 0.06, 0.01))
    return np.asarray(rng.random(len(septic)) < chance)
