"""The run's record in, everything that the page shows, in words and drawings, out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

from wardround.core.report.challenger import ChallengerFacts, challenger_facts
from wardround.core.report.charts import duration_bars, flow_chart, histogram
from wardround.core.report.flow import Loss, losses_of, stages
from wardround.core.report.missingness import UnknownGrid, unknown_grid
from wardround.core.report.model_facts import ModelFacts, model_facts
from wardround.core.report.notices import Notice, notices
from wardround.core.report.record import RunRecord
from wardround.core.report.words import address, count, moment, reason_in_words, span, window
from wardround.core.report.worklist import LISTED_BANDS, Patient, PatientList, by_band, by_outcome, joined
from wardround.core.suite import QualityResult

SAFETY: Final = (
    "Decision support, adjunct only: a score is never the sole basis of a decision, and a low score does not rule the"
    " condition out. Every score needs review by a clinician, and the model needs validation on local patients before"
    " use."
)


@dataclass(frozen=True)
class LowSummary:
    """The low band without its patients: scores and where they lie, by unit the most first."""

    count: int
    median: float
    highest: float
    units: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class SetAside:
    """Events of a variable that were set aside for a reason."""

    variable: str
    reason: str
    count: int


@dataclass(frozen=True)
class RunReport:
    """Everything on the page. Charts are SVG text, already escaped; the rest is plain text and numbers."""

    run: str
    title: str
    description: str
    mode: str
    as_of: str
    safety: str
    identifiers: bool
    facts: tuple[tuple[str, str], ...]
    notices: tuple[Notice, ...]
    bands: tuple[tuple[str, int], ...]
    flow: str
    flow_note: str
    worklist: tuple[PatientList, ...]
    low: LowSummary
    indeterminate: PatientList
    minimum_data: str
    failed: PatientList
    excluded: tuple[Loss, ...]
    thresholds: dict[str, float]
    histogram: str
    unknown: UnknownGrid
    quality: QualityResult | None
    max_set_aside: float
    set_aside: tuple[SetAside, ...]
    durations: str
    requests: int | None
    model: ModelFacts | None
    challenger: ChallengerFacts | None
    model_version: str


def run_report(record: RunRecord, identifiers: bool) -> RunReport:
    """The report of a run; without `identifiers` no patient, stay or resource can be told from it."""
    stays = joined(record)
    scored = stays[stays["outcome"] == "scored"]
    thresholds = {str(band): at for band, at in record.card.thresholds.items()} if record.card else {}
    mode = _mode(record)
    return RunReport(
        run=record.run,
        title=record.condition.title,
        description=record.condition.description,
        mode=mode,
        as_of=moment(pd.Timestamp(record.request["as_of"])),
        safety=SAFETY,
        identifiers=identifiers,
        facts=_facts(record, mode),
        notices=tuple(notices(record, mode)),
        bands=_bands(stays),
        flow=flow_chart(stages(record.ledger, _why_not_written(record, mode))),
        flow_note=_flow_note(record),
        worklist=tuple(by_band(stays, band, identifiers) for band in LISTED_BANDS),
        low=_low(scored[scored["band"] == "low"]),
        indeterminate=_with_known(by_outcome(stays, "indeterminate", identifiers), record),
        minimum_data=_minimum_data(record),
        failed=by_outcome(stays, "failed", identifiers),
        excluded=losses_of(record.ledger[record.ledger["outcome"] == "excluded"]),
        thresholds=thresholds,
        histogram=histogram(scored["score"].to_numpy(dtype=float), scored["band"].tolist(), thresholds),
        unknown=unknown_grid(record.unknown, record.rows, record.condition),
        quality=record.quality,
        max_set_aside=record.condition.quality.max_set_aside,
        set_aside=_set_aside(record),
        durations=duration_bars(record.summary.get("durations", {})),
        requests=record.summary.get("http_requests"),
        challenger=challenger_facts(record.summary["challenger"]) if record.summary.get("challenger") else None,
        model=model_facts(record.card, record.gates) if record.card else None,
        model_version=record.request["model_version"],
    )


def _mode(record: RunRecord) -> str:
    if record.request["mode"] == "shadow":
        return "shadow"
    return "dry run" if record.request["dry_run"] else "live"


def _facts(record: RunRecord, mode: str) -> tuple[tuple[str, str], ...]:
    request = record.request
    look_back = request["look_back"] or window(record.condition.cohort.look_back)
    return (
        ("Mode", f"{mode}{_whose_mode(record)}"),
        *_scored_when(record),
        ("Source", address(request["source_url"])),
        ("Model", request["model_version"]),
        ("Specification", f"{record.condition.id} {request['condition_version']} ({request['spec_digest'][:12]})"),
        ("Look-back", str(look_back)),
        ("Run", record.run),
        ("Wardround", request["software_version"]),
    )


def _whose_mode(record: RunRecord) -> str:
    """Who chose the mode, where that is not plain: the condition's setting, or somebody against it."""
    asked, of_condition = record.request.get("mode_asked"), record.request.get("mode_of_condition")
    if asked is None:
        return ", as the condition says" if of_condition == "shadow" else ""
    return f", asked for by name: the condition says {of_condition}" if of_condition not in (None, asked) else ""


def _scored_when(record: RunRecord) -> Iterator[tuple[str, str]]:
    hours = record.summary.get("hours_after_as_of")
    if hours is not None:
        yield "Scored", f"{span(hours)} after the prediction time"


def _bands(stays: pd.DataFrame) -> tuple[tuple[str, int], ...]:
    scored = stays[stays["outcome"] == "scored"]
    bands = tuple((band, int((scored["band"] == band).sum())) for band in ("high", "moderate", "low"))
    return (*bands, ("indeterminate", int((stays["outcome"] == "indeterminate").sum())))


def _why_not_written(record: RunRecord, mode: str) -> str:
    if record.summary.get("retraction"):
        return "Taken back"
    words = {"shadow": "A shadow run writes nothing", "dry run": "A dry run writes nothing"}
    return words.get(mode, "Not written")


def _flow_note(record: RunRecord) -> str:
    unchanged = record.summary.get("unchanged", 0)
    failed = int((record.ledger["written"] & (record.ledger["outcome"] != "scored")).sum())
    notes = list(_cohort_notes(record))
    if unchanged:
        notes.append(f"The source held {count(unchanged)} of the RiskAssessments already; they were left as they are.")
    if repaired := record.summary.get("repaired", 0):
        notes.append(
            f"The source held several RiskAssessments of {count(repaired)} of the stays; the newest of each stands, the"
            " others are marked as entered in error."
        )
    if failed:
        notes.append(f"The source also holds a RiskAssessment for {count(failed)} of the stays that failed.")
    return " ".join(notes)


def _cohort_notes(record: RunRecord) -> Iterator[str]:
    """What became of those whom the cohort names, and who have no stay in the drawing."""
    named = record.summary.get("cohort_patients")
    if named is None:
        return
    yield f"The cohort ({record.summary['cohort']}) names {count(named)} patients."
    without_stay = record.summary["cohort_without_stay"]
    if without_stay:
        yield f"{count(without_stay)} of them had no ICU stay in the look-back."
    for reason, number in record.summary["cohort_set_aside"].items():
        yield f"{count(number)} set aside: {reason_in_words(reason).lower()}."


def _low(rows: pd.DataFrame) -> LowSummary:
    units = rows["unit"].replace("", "No unit named").value_counts().sort_index(kind="stable")
    by_count = units.sort_values(ascending=False, kind="stable")
    return LowSummary(
        count=len(rows),
        median=float(rows["score"].median()) if len(rows) else 0.0,
        highest=float(rows["score"].max()) if len(rows) else 0.0,
        units=tuple((str(unit), int(number)) for unit, number in by_count.items()),
    )


def _minimum_data(record: RunRecord) -> str:
    needed = record.condition.minimum_data
    names = [record.condition.variables[name].display.lower() for name in needed.of]
    return f"A score needs a value in the window for at least {needed.at_least} of: {', '.join(names)}."


def _with_known(indeterminate: PatientList, record: RunRecord) -> PatientList:
    """The list with how many of the needed inputs are known, where too few are, in place of the rule's name."""
    needed = record.condition.minimum_data
    displays = [record.condition.variables[name].display for name in needed.of]

    def why(patient: Patient) -> str:
        known = sum(display not in patient.missing for display in displays)
        if known >= needed.at_least:
            return patient.why
        return f"{known} of {len(displays)} known, {needed.at_least} needed"

    told = tuple(replace(patient, why=why(patient)) for patient in indeterminate.patients)
    return replace(indeterminate, patients=told)


def _set_aside(record: RunRecord) -> tuple[SetAside, ...]:
    variables = record.condition.variables
    lines = [
        SetAside(variables[name].display if name in variables else name, reason_in_words(reason), number)
        for name, reasons in record.set_aside.items()
        for reason, number in reasons.items()
    ]
    return tuple(sorted(lines, key=lambda line: (-line.count, line.variable, line.reason)))
