"""Lists the patients of a run by band, with the highest score first."""

import re
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from wardround.core.ledger import SCORED
from wardround.report.change import states_of
from wardround.report.chart_links import chart_link, is_pattern
from wardround.report.quality import rule_in_words
from wardround.report.record import RunRecord, texts_of
from wardround.report.report_words import percent, reason_in_words, without_references
from wardround.results.rationale import column_words

# How many patients of a band or outcome are listed; a longer page opens slowly, and nobody reads it to the end.
LISTED: Final = 1000
LISTED_BANDS: Final = ("high", "moderate", "low")
NEW: Final = "new"
# `Lactate, latest of the last 24 h: 4.2 mmol/L (1.3 h before); raises the risk`
# `In the unit for 30 h; raises the risk`
_REASON: Final = re.compile(
    r"(?P<what>In the (?:unit|hospital) for(?= )|.*?(?=: )):? (?P<value>.*?)(?: \((?P<age>.*)\))?;"
    r" (?P<direction>raises|lowers) the risk"
)


@dataclass(frozen=True)
class Reason:
    """One reason behind a score: what, its value, the age of the value, and in which direction it moves the score.

    `direction` is "raises", "lowers" or ""; a text in another form than results/rationale.py writes is entirely `what`.
    """

    what: str
    value: str = ""
    age: str = ""
    direction: str = ""


@dataclass(frozen=True)
class Patient:
    """One line of a list; `patient`, `stay` and `link` are "" in a report without identifiers.

    `state` is the band, or the outcome if there is no band; `before` is the state in the previous run, if it differed;
    `link` leads to the chart.
    """

    place: int
    patient: str
    stay: str
    unit: str
    state: str
    score: float
    hours: float
    reasons: tuple[Reason, ...]
    missing: tuple[str, ...]
    why: str
    before: str
    link: str


@dataclass(frozen=True)
class PatientList:
    """The stays of one band or outcome: those listed, and how many there are."""

    name: str
    count: int
    patients: tuple[Patient, ...]

    @property
    def unlisted(self) -> int:
        return self.count - len(self.patients)


def joined(record: RunRecord) -> pd.DataFrame:
    """Returns the ledger with hours since admission, reasons, missing inputs, previous state and chart address."""
    as_of = pd.Timestamp(record.request.as_of)
    admitted = pd.to_datetime(record.stays["intime"], utc=True)
    hours = record.stays[["stay_id"]].assign(hours=(as_of - admitted) / pd.Timedelta(hours=1))
    ledger = record.ledger.rename(columns={"reason": "why"})
    for known in (hours, record.scores):
        ledger = ledger.merge(known.astype({"stay_id": "str"}), on="stay_id", how="left", validate="one_to_one")
    said, before = record.request.chart_url or "", _before(record)
    pattern = said if is_pattern(said) else ""
    ids = zip(ledger["patient_id"], ledger["stay_id"], strict=True)
    columns = column_words(record.condition)
    return ledger.assign(
        why=ledger["why"].map(lambda why: rule_in_words(why, columns)).astype("str"),
        before=pd.Series([before.get(str(stay), "") for stay in ledger["stay_id"]], ledger.index, dtype="str"),
        link=[chart_link(pattern, str(who), str(stay)) for who, stay in ids],
    )


def _before(record: RunRecord) -> dict[str, str]:
    """Returns, by stay, its state in the previous run: NEW, or band and score; unchanged stays are left out."""
    if record.earlier.before is None:
        return {}
    earlier = record.earlier.before.ledger
    then, now = states_of(earlier), states_of(record.ledger)
    score = earlier.set_index("stay_id")["score"]
    both = now.index.intersection(then.index)
    moved = both[(then[both] != now[both]).to_numpy()]
    told = {str(stay): f"was {then[stay]}{_with(score[stay])}" for stay in moved}
    return {**dict.fromkeys(now.index.difference(then.index), NEW), **told}


def _with(score: float) -> str:
    return f", {percent(score)}" if score == score else ""


def by_band(stays: pd.DataFrame, band: str, identifiers: bool) -> PatientList:
    """Returns the scored stays of a band, the highest score first."""
    return _list(band, _of_band(stays, band), identifiers)


def by_outcome(stays: pd.DataFrame, outcome: str, identifiers: bool) -> PatientList:
    """Returns the stays of an outcome, by reason."""
    return _list(outcome, _of_outcome(stays, outcome), identifiers)


def moved(stays: pd.DataFrame, identifiers: bool) -> PatientList:
    """Returns the stays whose band differs from the previous run, the highest score first."""
    rows = stays[~stays["before"].isin(("", NEW))]
    return _list("moved", rows.sort_values(["score", "stay_id"], ascending=[False, True]), identifiers)


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
        state=str(row.band) if row.outcome == SCORED else str(row.outcome),
        score=float(row.score),
        hours=float(row.hours),
        reasons=tuple(_reason(text) for text in texts_of(row.reasons)),
        missing=tuple(texts_of(row.missing)),
        why=why if identifiers else without_references(why),
        before=str(row.before),
        link=str(row.link) if identifiers else "",
    )


def _reason(text: str) -> Reason:
    match = _REASON.fullmatch(text)
    return Reason(**match.groupdict(default="")) if match else Reason(text)
