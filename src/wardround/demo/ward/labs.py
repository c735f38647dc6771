"""Derives laboratory results from the courses: times and values as flat arrays, one entry per row of labevents."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from wardround.demo.ward.course import Course
from wardround.demo.ward.items import ARTERIAL, LAB_ITEMS, PANEL_GAP, PANEL_SHARE, SPECIMEN_TYPE, LabItem, Panel
from wardround.demo.ward.patients import HOUR, WardPatients

_BETWEEN, _WITHIN = 0.8, 0.5
"""Factors of an item's spread: between stays, and from draw to draw."""

_NOT_DONE: Final = 0.004


@dataclass(frozen=True)
class Results:
    """Laboratory results, one array entry each.

    They have the stay's position, draw and store times (UTC seconds), the specimen's number in the batch, the item, the
    value, and the bound that it exceeds (`<`, `>` or empty; `_` if nothing could be measured; the word itself if the
    item is a word).
    """

    stay: np.ndarray
    time: np.ndarray
    stored: np.ndarray
    specimen: np.ndarray
    item: np.ndarray
    value: np.ndarray
    bound: np.ndarray

    def where(self, keep: np.ndarray) -> Self:
        return type(self)(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))


def measure(patients: WardPatients, course: Course, rng: np.random.Generator) -> Results:
    """Returns all rows of labevents up to the end of each stay, sorted by stay, time, specimen and item."""
    parts: list[Results] = []
    specimens = 0
    for panel in PANEL_GAP:
        stay, hour = _draws(patients, panel, rng)
        specimen = specimens + np.arange(len(stay))
        specimens += len(stay)
        time = (patients.intime[stay] + (hour * HOUR).astype(np.int64)) // 60 * 60
        delay = _delay(panel, len(stay), rng)
        for item in (item for item in LAB_ITEMS if item.panel == panel):
            value, bound = _values(patients, course, item, stay, hour, rng)
            full = np.full(len(stay), item.itemid)
            parts.append(Results(stay, time, time + delay, specimen, full, value, bound))
        if panel == "gas":
            kind = np.full(len(stay), SPECIMEN_TYPE), np.full(len(stay), np.nan), np.full(len(stay), ARTERIAL)
            parts.append(Results(stay, time, time + delay, specimen, *kind))
    names = Results.__dataclass_fields__
    results = Results(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
    return results.where(np.lexsort((results.item, results.specimen, results.time, results.stay)))


def _draws(patients: WardPatients, panel: Panel, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns stay and hour of each draw of a panel: around admission, then regularly; more often in the very ill."""
    stays = len(patients.hours)
    most = int(np.ceil(patients.hours.max() / PANEL_GAP[panel] * 1.7)) + 2
    pace = np.exp(-0.15 * np.clip(patients.illness.severity + patients.illness.intensity, -1, 3))
    gaps = PANEL_GAP[panel] * pace[:, None] * rng.lognormal(0, 0.3, (stays, most))
    hour = rng.uniform(-3, 1.5, (stays, 1)) + np.cumsum(gaps, axis=1) - gaps[:, :1]
    ever = (rng.random(stays) < PANEL_SHARE[panel]) & ~patients.sparse
    stay, column = np.nonzero((hour <= patients.hours[:, None]) & ever[:, None])
    return stay, hour[stay, column]


def _delay(panel: Panel, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Returns seconds until the result is stored, in whole minutes: 3 at the bedside, about 60 in the laboratory."""
    median = 3 if panel in ("gas", "lactate") else 65
    return np.asarray(np.ceil(median * rng.lognormal(0, 0.5, draws)).astype(np.int64) * 60)


def _values(
    patients: WardPatients, course: Course, item: LabItem, stay: np.ndarray, hour: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    severity, infection = course.at(stay, hour)
    # In one of six, infection lowers the white cells instead of raising them.
    direction = np.where(rng.random(len(patients.hours)) < (1 / 6 if item.panel == "count" else 0), -1.2, 1.0)[stay]
    own = _BETWEEN * item.spread * rng.standard_t(5, len(patients.hours))[stay]  # heavy tails, as in reality
    organ = patients.organs[item.organ][stay] * item.organ_load if item.organ else 0
    move = item.severity * severity + item.infection * infection * (direction if item.itemid == 51301 else 1)
    noise = rng.normal(0, _WITHIN * item.spread, len(stay))
    drawn = own + organ + move + noise
    value = item.median * np.exp(drawn) if item.log else item.median + drawn
    rounded = np.round(value, item.decimals)
    bound = np.select([rounded < item.least, rounded > item.most], ["<", ">"], default="")
    bound = np.where(rng.random(len(stay)) < _NOT_DONE, "_", bound)
    if item.least == 0:  # a share or a count of cells has its minimum at 0, not at a limit of detection
        rounded, bound = np.maximum(rounded, 0), np.where(bound == "<", "", bound)
    return np.clip(rounded, item.least, item.most), bound
