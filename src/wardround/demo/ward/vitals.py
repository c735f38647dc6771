"""Derives charted vital signs from the courses: times and values as flat arrays, one entry per row of chartevents."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from wardround.demo.ward.course import Course, wander
from wardround.demo.ward.items import CHART_ITEMS
from wardround.demo.ward.patients import HOUR, WardPatients

_MISSED: Final = 0.05
_WILD: Final = 0.0006

# Artefacts that monitors and tired staff produce now and then: a lead or line that came off, a flush, a typing error.
_SLIPS: Final[dict[str, tuple[float, ...]]] = {
    "heart_rate": (0,),
    "respiratory_rate": (0, 58, 99),
    "spo2": (29, 0),
    "celsius": (99, 98.6, 31.1),
    "fahrenheit": (37, 9.8),
    "arterial_mean": (-23, 301, 801),
    "line_mean": (-27, 302),
    "arterial_systolic": (25, 301),
    "cuff_mean": (8, 171),
    "cuff_systolic": (12, 311),
    "fio2": (0, 0.4),
}


@dataclass(frozen=True)
class Rows:
    """Charted values: the stay's position in the patients, UTC seconds, the item's key, and the number."""

    stay: np.ndarray
    time: np.ndarray
    item: np.ndarray
    value: np.ndarray

    def where(self, keep: np.ndarray) -> Self:
        return type(self)(self.stay[keep], self.time[keep], self.item[keep], self.value[keep])


def chart(patients: WardPatients, course: Course, rng: np.random.Generator) -> Rows:
    """Returns all rows of chartevents up to the end of each stay, sorted by stay, time and item."""
    slots = _slots(patients, rng)
    channels = _channels(patients, course, slots, rng)
    parts = [_sample(patients, slots, name, values, rng) for name, values in channels.items()]
    parts.append(_measures(patients))
    rows = Rows(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("stay", "time", "item", "value"))
    )
    return rows.where(np.lexsort((rows.item, rows.time, rows.stay)))


@dataclass(frozen=True)
class _Slots:
    """The rounds of a nurse: the stay's position, hours since intime, UTC seconds, the round's number in the stay."""

    stay: np.ndarray
    hour: np.ndarray
    time: np.ndarray
    round: np.ndarray


def _slots(patients: WardPatients, rng: np.random.Generator) -> _Slots:
    """Returns a round at admission and every full hour: some are a few minutes late, a few are missed.

    There are none while the patient is off the unit.
    """
    rounds = np.ceil(patients.hours).astype(np.int64) + 1
    stay = np.repeat(np.arange(len(rounds)), rounds)
    number = np.arange(len(stay)) - np.repeat(np.cumsum(rounds) - rounds, rounds)
    late = np.where(rng.random(len(stay)) < 0.85, 0, rng.integers(1, 50, len(stay)) * 60)
    full_hour = (patients.intime[stay] // HOUR + number) * HOUR + late
    time = np.where(number == 0, _minute(patients.intime[stay] + 60), full_hour)
    hour = (time - patients.intime[stay]) / HOUR
    away = _away(stay, number, patients, rng)
    keep = (hour >= 0) & (hour <= patients.hours[stay]) & ~away
    return _Slots(stay[keep], hour[keep], time[keep], number[keep])


def _away(stay: np.ndarray, number: np.ndarray, patients: WardPatients, rng: np.random.Generator) -> np.ndarray:
    """Returns True for the rounds during a trip off the unit; half of the stays have one such trip."""
    start = rng.uniform(2, 60, len(patients.hours))
    length = np.where(rng.random(len(start)) < 0.5, rng.uniform(1, 5, len(start)), 0)
    return np.asarray((number >= start[stay]) & (number < (start + length)[stay]))


def _channels(patients: WardPatients, course: Course, slots: _Slots, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Returns the value of every channel at every slot; NaN if the stay has no such device."""
    severity, infection = course.at(slots.stay, slots.hour)
    person = _Person(len(patients.hours), course.severity.shape[1], slots, rng)
    daytime = np.sin(2 * np.pi * (slots.time / HOUR - 14) / 24)  # highest at about 20:00 UTC, afternoon in the US
    cold = np.where(rng.random(len(patients.hours)) < 0.22, -0.9, 1.0)[slots.stay]
    temperature = 36.83 + 0.03 * severity + 0.85 * cold * infection + 0.1 * daytime + person.draw(0.2, 0.24, 0.1)
    mean = 77.5 - 3.2 * severity - 7.0 * infection + person.draw(9, 6, 3)
    pulse = np.clip(54 - 1.0 * severity + 1.5 * infection + person.draw(11, 4, 3), 18, 110)
    rate = 18.3 + 1.5 * severity + 3.4 * infection + person.draw(2.4, 2.3, 2)
    awake = 2.1 - 1.1 * severity - 0.5 * infection - 2.2 * patients.ventilated[slots.stay] + person.draw(1.0, 0.6, 0.3)
    oxygen = np.clip(46 + 5 * severity + 4 * infection + person.draw(9, 4, 0), 21, 100)
    aired = np.where(patients.ventilated, 0.0, np.nan)[slots.stay]
    return {
        "heart_rate": 86.5 + 5.5 * severity + 13 * infection + 2 * daytime + person.draw(14, 5.5, 2),
        "respiratory_rate": np.clip(rate, 5, 60),
        "respiratory_rate_total": np.clip(rate + rng.normal(0.5, 1, len(rate)), 5, 60) + aired,
        "spo2": np.minimum(97.2 - 0.7 * severity - 0.9 * infection + person.draw(1.6, 1.0, 1.1), 100),
        "fahrenheit": temperature * 1.8 + 32,
        "celsius": temperature + np.where(patients.celsius, 0.0, np.nan)[slots.stay],
        **_pressures(patients, slots, mean, pulse, rng),
        "eye": np.clip(np.round(2.8 + awake), 1, 4),
        "verbal": np.where(patients.ventilated[slots.stay], 1, np.clip(np.round(3.6 + awake), 1, 5)),
        "motor": np.clip(np.round(5.0 + awake), 1, 6),
        "sedation": np.clip(np.round(awake - 0.6), -5, 4),
        "fio2": np.round(oxygen / 5) * 5 + aired,
        "ventilator": np.zeros(len(rate)) + aired,
        "peep": np.clip(np.round(6 + 1.2 * severity + person.draw(1.5, 0.5, 0)), 0, 22) + aired,
    }


def _pressures(
    patients: WardPatients, slots: _Slots, mean: np.ndarray, pulse: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Returns blood pressures: hourly from a line, with a cuff now and then; without a line, hourly from the cuff."""
    line = patients.arterial[slots.stay]
    second = line & (patients.number[slots.stay] % 12 == 3)  # a few monitors use the other item for the line
    lined, unlined = np.where(line, 0.0, np.nan), np.where(~line | (slots.round % 4 == 0), 0.0, np.nan)
    cuff = mean - 1.5 + rng.normal(0, 3, len(mean))
    return {
        "arterial_systolic": mean + 0.68 * pulse + lined,
        "arterial_diastolic": mean - 0.3 * pulse + lined,
        "arterial_mean": mean + np.where(line & ~second, 0.0, np.nan),
        "line_mean": mean + np.where(second, 0.0, np.nan),
        "cuff_systolic": cuff + 0.72 * pulse + unlined,
        "cuff_diastolic": cuff - 0.22 * pulse + unlined,
        "cuff_mean": cuff + unlined,
    }


class _Person:
    """Noise around a person's own level: between stays, from hour to hour, and for each measurement."""

    def __init__(self, stays: int, hours: int, slots: _Slots, rng: np.random.Generator) -> None:
        self._shape, self._slots, self._rng = (stays, hours), slots, rng

    def draw(self, between: float, hourly: float, each: float) -> np.ndarray:
        """Returns one value per slot; the arguments are the standard deviations of the three parts."""
        stays, hours = self._shape
        level = self._rng.normal(0, between, (stays, 1)) + wander(stays, hours, hourly, self._rng)
        column = np.clip(self._slots.hour.astype(np.int64), 0, hours - 1)
        return np.asarray(level[self._slots.stay, column] + self._rng.normal(0, each, len(column)))


def _sample(patients: WardPatients, slots: _Slots, name: str, values: np.ndarray, rng: np.random.Generator) -> Rows:
    """Returns the rows of one channel: at its interval, rounded as charted, with missed and mistyped values."""
    item = CHART_ITEMS[name]
    shift = patients.number[slots.stay] % int(item.every)
    due = (slots.round == 0) | ((slots.round + shift) % int(item.every) == 0)
    keep = due & np.isfinite(values) & (rng.random(len(values)) >= _MISSED)
    if name not in ("heart_rate", "spo2"):
        keep &= ~patients.sparse[slots.stay]
    value = np.round(values[keep], item.decimals) + 0.0  # and not -0
    wild = rng.random(len(value)) < _WILD
    slip = rng.integers(0, 1 << 30, len(value))
    if name in _SLIPS:
        value = np.where(wild, np.array(_SLIPS[name])[slip % len(_SLIPS[name])], value)
    return Rows(slots.stay[keep], slots.time[keep], np.full(len(value), item.itemid), value)


def _measures(patients: WardPatients) -> Rows:
    """Returns the weight of most stays and the height of half of them, charted once, soon after admission."""
    weighed = np.flatnonzero((patients.number % 12 != 0) & ~patients.sparse & (patients.hours > 1))
    tall = weighed[patients.number[weighed] % 2 == 0]
    stay = np.concatenate([weighed, tall])
    item = np.repeat([CHART_ITEMS["weight"].itemid, CHART_ITEMS["height"].itemid], [len(weighed), len(tall)])
    value = np.concatenate([np.round(patients.weight[weighed], 1), np.round(patients.height[tall])])
    return Rows(stay, _minute(patients.intime[stay] + 1800), item, value)


def _minute(time: np.ndarray) -> np.ndarray:
    """Rounds up to the next full minute, since charts and laboratories record no seconds."""
    return np.asarray(-(-time // 60) * 60)
