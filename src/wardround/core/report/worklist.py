"""Ledger, stays and scores in; the patients by band, highest score first, out."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from wardround.core.report.record import RunRecord
from wardround.core.report.words import reason_in_words, without_references

# So many patients of a band or outcome are listed; beyond it a page becomes slow to open and is read by nobody.
LISTED: Final = 1000
LISTED_BANDS: Final = ("high", "moderate")
LISTED_OUTCOMES: Final = ("indeterminate", "failed")
# `Lactate, latest of the last 24 h: 4.2 mmol/L (1.3 h before); raises the risk`
_REASON: Final = re.compile(
    r"(?P<what>.*?): (?P<value>.*?)(?: \((?P<age>.*)\))?; (?P<direction>raises|lowers) the risk"
)


@dataclass(frozen=True)
class Reason:
    """One reason behind a score: what, its value, the age of what it rests on, and which way it moves the score.

    `direction` is "raises", "lowers" or ""; a text of another form than core/rationale.py writes is all `what`.
    """

    what: str
    value: str = ""
    age: str = ""
    direction: str = ""


@dataclass(frozen=True)
class Patient:
    """One line of a list; `patient` and `stay` are "" in a report without identifiers."""

    place: int
    patient: str
    stay: str
    unit: str
    score: float
    hours: float
    reasons: tuple[Reason, ...]
    missing: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class PatientList:
    """The stays of one band or outcome: those listed, and how many there are."""

    name: str
    count: int
    patients: tuple[Patient, ...]

    @property
    def unlisted(self) -> int:
        return self.count - len(self.patients)


def listed(ledger: pd.DataFrame) -> set[str]:
    """The stays of a ledger (LEDGER_COLUMNS) that the lists show: of no other are the reasons needed."""
    stays = ledger.rename(columns={"reason": "why"})
    lists = [_of_band(stays, band) for band in LISTED_BANDS] + [_of_outcome(stays, one) for one in LISTED_OUTCOMES]
    return {str(stay) for rows in lists for stay in rows["stay_id"].head(LISTED)}


def joined(record: RunRecord) -> pd.DataFrame:
    """The ledger with hours since admission, reasons and missing inputs beside each stay."""
    as_of = pd.Timestamp(record.request["as_of"])
    admitted = pd.to_datetime(record.stays["intime"], utc=True)
    hours = record.stays[["stay_id"]].assign(hours=(as_of - admitted) / pd.Timedelta(hours=1))
    ledger = record.ledger.rename(columns={"reason": "why"})
    for known in (hours, record.scores):
        ledger = ledger.merge(known.astype({"stay_id": "str"}), on="stay_id", how="left", validate="one_to_one")
    return ledger


def by_band(stays: pd.DataFrame, band: str, identifiers: bool) -> PatientList:
    """The scored stays of a band, highest score first."""
    return _list(band, _of_band(stays, band), identifiers)


def by_outcome(stays: pd.DataFrame, outcome: str, identifiers: bool) -> PatientList:
    """The stays of an outcome, by reason."""
    return _list(outcome, _of_outcome(stays, outcome), identifiers)


def _of_band(stays: pd.DataFrame, band: str) -> pd.DataFrame:
    rows = stays[(stays["outcome"] == "scored") & (stays["band"] == band)]
    return rows.sort_values(["score", "stay_id"], ascending=[False, True])


def _of_outcome(stays: pd.DataFrame, outcome: str) -> pd.DataFrame:
    return stays[stays["outcome"] == outcome].sort_values(["why", "unit", "stay_id"])


def _list(name: str, rows: pd.DataFrame, identifiers: bool) -> PatientList:
    listed = rows.head(LISTED).itertuples(index=False)
    patients = tuple(_patient(place, row, identifiers) for place, row in enumerate(listed, start=1))
    return PatientList(name, len(rows), patients)


def _patient(place: int, row: Any, identifiers: bool) -> Patient:
    why = reason_in_words(str(row.why))
    return Patient(
        place=place,
        patient=str(row.patient_id) if identifiers else "",
        stay=str(row.stay_id) if identifiers else "",
        unit=str(row.unit),
        score=float(row.score),
        hours=float(row.hours),
        reasons=tuple(_reason(text) for text in _texts(row.reasons)),
        missing=tuple(_texts(row.missing)),
        why=why if identifiers else without_references(why),
    )


def _texts(value: Any) -> Iterable[str]:
    """A cell with texts; a stay without a feature row has NaN there."""
    return () if isinstance(value, float) or value is None else (str(text) for text in value)


def _reason(text: str) -> Reason:
    match = _REASON.fullmatch(text)
    return Reason(**match.groupdict(default="")) if match else Reason(text)
