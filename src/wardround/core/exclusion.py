"""Decides which of the stays that a source found are screened, and why the others are not, for all doors alike.

Works on columns, so that a hospital's stays and the one at the bedside are judged by the same rule.
"""

from calendar import monthrange
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import numpy as np

from wardround.core.microseconds import PER_HOUR, UNKNOWN, micros, micros_in
from wardround.spec.conditions import Condition

if TYPE_CHECKING:
    import pandas as pd

TOOK_PLACE: Final = ("arrived", "triaged", "in-progress", "onleave", "finished", "unknown")


class Stay(NamedTuple):
    """A stay that a FHIR source found, as a row of FOUND_STAY_COLUMNS; times in microseconds since 1970, or UNKNOWN."""

    stay_id: str
    patient_id: str
    intime: int
    outtime: int
    unit_begin: int
    hospital_begin: int
    birth_date: int
    sex: str | None
    unit: str
    status: str
    born_from: int
    born_by: int
    barred: str
    hospital_unknown: str
    part_of: str
    succeeded_by: str = ""

    def hours_at(self, as_of: int) -> float:
        """Returns the hours from its begin in the unit, or else from `intime`, to as_of (microseconds)."""
        begin = self.intime if self.unit_begin == UNKNOWN else self.unit_begin
        return (as_of - begin) / PER_HOUR


class Excluded(NamedTuple):
    """A stay that is not screened, as a row of EXCLUDED_COLUMNS."""

    stay_id: str
    patient_id: str
    reason: str


class Decisive(NamedTuple):
    """What decides whether stays are screened, one column each; times in microseconds since 1970, or UNKNOWN."""

    stay_id: Sequence[str]
    patient_id: Sequence[str]
    intime: np.ndarray
    outtime: np.ndarray
    status: Sequence[str]
    barred: Sequence[str]
    born_from: np.ndarray
    born_by: np.ndarray
    part_of: Sequence[str]
    succeeded_by: Sequence[str]

    @classmethod
    def of_frame(cls, stays: "pd.DataFrame") -> Self:
        """Returns the columns of a frame with FOUND_STAY_COLUMNS."""
        columns: dict[str, Any] = {
            name: micros_in(stays[name]) if name in _TIMES else stays[name].tolist() for name in cls._fields
        }
        return cls(**columns)

    @classmethod
    def of(cls, stays: Sequence[Stay]) -> Self:
        columns: dict[str, Any] = {name: [getattr(stay, name) for stay in stays] for name in cls._fields}
        return cls(**{**columns, **{name: np.array(columns[name], dtype=np.int64) for name in _TIMES}})


_TIMES: Final = ("intime", "outtime", "born_from", "born_by")


def reasons_against(stays: Decisive, as_of: datetime, condition: Condition) -> np.ndarray:
    """Returns why each stay is not screened at as_of; "" for one that is.

    Whether a stay is under way at as_of is read from its period, not from its status, which describes today. Of the
    stays that would be screened, an Encounter that another one is a part of is excluded, and so is a person's second
    record. Reasons, the first that applies: unusable_status, no_admission_time, not_yet_admitted, discharged,
    finished_without_end, deceased, inactive_patient, merged_patient, unknown_patient, no_birth_date, under_age,
    uncertain_age, parent_encounter.
    """
    too_young, moment = _too_young_since(condition.cohort.min_age, as_of), micros(as_of)
    admitted, ended = stays.intime != UNKNOWN, stays.outtime != UNKNOWN
    rules = [
        (_each(stays.status, lambda one: one not in TOOK_PLACE), "unusable_status"),
        (~admitted, "no_admission_time"),
        (admitted & (stays.intime > moment), "not_yet_admitted"),
        (ended & (stays.outtime <= moment), "discharged"),
        (~ended & _each(stays.status, lambda one: one == "finished"), "finished_without_end"),
        *((_each(stays.barred, bar.__eq__), bar) for bar in sorted(set(stays.barred) - {""})),
        (stays.born_by == UNKNOWN, "no_birth_date"),
        (stays.born_from >= too_young, "under_age"),
        (stays.born_by >= too_young, "uncertain_age"),
    ]
    reason = np.full(len(stays.stay_id), "", dtype=object)
    for applies, name in reversed(rules):
        reason[applies] = name
    return _once_a_person(stays, reason)


def _too_young_since(years: int, at: datetime) -> int:
    """Returns since when those were born, in microseconds, who have not completed so many calendar years at a time."""
    today = at.astimezone(UTC)
    year = today.year - years
    # A 29 February that the year of birth did not have stands for its 28th.
    birthday = datetime(year, today.month, min(today.day, monthrange(year, today.month)[1]), tzinfo=UTC)
    return micros(birthday + timedelta(days=1))


def _each(texts: Sequence[str], rule: Callable[[str], object]) -> np.ndarray:
    return np.fromiter(map(rule, texts), dtype=bool, count=len(texts))


def _once_a_person(stays: Decisive, reason: np.ndarray) -> np.ndarray:
    """Returns the reasons, with one added for each stay that repeats a person who is already counted."""
    screened = np.flatnonzero(reason == "").tolist()
    wholes, patients = _wholes(stays, screened), {stays.patient_id[row] for row in screened}
    for row in screened:
        if stays.stay_id[row] in wholes:
            reason[row] = "parent_encounter"
        elif not patients.isdisjoint(stays.succeeded_by[row].split()):
            reason[row] = "merged_patient"
    return reason


def _wholes(stays: Decisive, rows: Collection[int]) -> set[str]:
    """Returns the Encounters of the same patient that these stays are part of, at any depth.

    A newborn's Encounter may be part of the mother's, which is not returned.
    """
    whose = dict(zip(stays.stay_id, stays.patient_id, strict=True))
    parts = zip(stays.stay_id, stays.part_of, strict=True)
    above = {part: whole for part, whole in parts if whose.get(whole) == whose[part]}
    found: set[str] = set()
    for row in rows:
        whole = above.get(stays.stay_id[row], "")
        while whole and whole not in found and whole != stays.stay_id[row]:
            found.add(whole)
            whole = above.get(whole, "")
    return found
