"""Prepares the counts of a run, in words and drawings, without anything about a single stay."""

from dataclasses import dataclass
from typing import Final

import pandas as pd

from wardround.report.bedside import BedsideFacts, bedside_facts
from wardround.report.challenger import ChallengerFacts, challenger_facts
from wardround.report.change import Change, change_of
from wardround.report.facts import (
    compared_with,
    facts,
    flow_note,
    hours_covered,
    minimum_data,
    technical,
    why_not_written,
)
from wardround.report.histogram import NARROW, histogram
from wardround.report.missingness import UnknownGrid, unknown_grid
from wardround.report.model_facts import ModelFacts, model_facts
from wardround.report.notices import Notice, looks_back, notices
from wardround.report.quality import QualityFacts, quality_facts, rule_in_words
from wardround.report.record import RunRecord, texts_of
from wardround.report.report_words import STEPS, kind_in_words, moment, reason_in_words, seconds
from wardround.report.stay_flow import Loss, Stage, Words, losses_of, stages
from wardround.report.stay_flow_chart import flow_chart
from wardround.report.trend import trend
from wardround.report.units import EVERY, SMALL, UnitCounts, by_unit
from wardround.results.rationale import column_words, left_out_of

SAFETY: Final = (
    "Decision support, adjunct only: a score is never the sole basis of a decision, and a low score does not rule the"
    " condition out. Every score needs review by a clinician, and the model needs validation on local patients before"
    " use."
)


@dataclass(frozen=True)
class SetAside:
    """Events of a variable that were set aside for a reason."""

    variable: str
    reason: str
    count: int


@dataclass(frozen=True)
class Duration:
    """A step of the run: how long it took, also as a share of the longest step."""

    step: str
    took: str
    share: float


@dataclass(frozen=True)
class Aggregates:
    """The counts of a run. Charts are SVG text, already escaped; the rest is plain text and numbers.

    `guarded`: small units are counted together, and of texts by people or servers only the names of units are included.
    """

    guarded: bool
    run: str
    condition: str
    title: str
    description: str
    mode: str
    as_of: str
    time: str
    safety: str
    facts: tuple[tuple[str, str], ...]
    technical: tuple[tuple[str, str], ...]
    notices: tuple[Notice, ...]
    looks_back: str
    bands: tuple[tuple[str, int], ...]
    stages: tuple[Stage, ...]
    flow: str
    flow_note: str
    units: tuple[UnitCounts, ...]
    change: Change
    trend: str
    minimum_data: str
    hours_covered: str
    failed: tuple[Loss, ...]
    excluded: tuple[Loss, ...]
    histogram: str
    narrow_histogram: str
    unknown: UnknownGrid
    quality: QualityFacts | None
    set_aside: tuple[SetAside, ...]
    durations: tuple[Duration, ...]
    requests: int | None
    reasons: str
    left_out: int
    model: ModelFacts | None
    challenger: ChallengerFacts | None
    bedside: BedsideFacts | None
    model_version: str


def aggregates_of(record: RunRecord, guarded: bool) -> Aggregates:
    """Returns the counts of a run; `guarded` for readers who may not see patients."""
    told, columns = kind_in_words if guarded else reason_in_words, column_words(record.condition)

    def words(reason: str) -> str:
        return rule_in_words(told(reason), columns)

    outcome = record.ledger["outcome"]
    scored = record.ledger[outcome == "scored"]
    scores, bands = scored["score"].to_numpy(dtype=float), scored["band"].tolist()
    thresholds = {str(band): at for band, at in record.card.thresholds.items()} if record.card else {}
    mode = record.request.mode or ""
    found = stages(record.ledger, why_not_written(record, mode), words)
    change = change_of(record, words)
    return Aggregates(
        guarded=guarded,
        run=record.run,
        condition=record.condition.id,
        title=record.condition.title,
        description=record.condition.description,
        mode=mode,
        as_of=moment(pd.Timestamp(record.request.as_of)),
        time=record.request.as_json()["as_of"],
        safety=SAFETY,
        facts=facts(record, mode),
        technical=technical(record),
        notices=tuple(notices(record, mode, guarded)),
        looks_back=looks_back(record),
        bands=_bands(record.ledger),
        stages=found,
        flow=flow_chart(found),
        flow_note=flow_note(record),
        units=by_unit(record.ledger, SMALL if guarded else EVERY),
        change=change,
        trend=trend(change.points),
        minimum_data=minimum_data(record),
        hours_covered=hours_covered(record),
        failed=losses_of(record.ledger[outcome == "failed"], words),
        excluded=losses_of(record.ledger[outcome == "excluded"], words),
        histogram=histogram(scores, bands, thresholds),
        narrow_histogram=histogram(scores, bands, thresholds, NARROW),
        unknown=unknown_grid(record.unknown, record.rows, record.condition),
        quality=quality_facts(record.quality, record.condition) if record.quality else None,
        set_aside=_set_aside(record, words),
        durations=_durations(record),
        requests=record.summary.http_requests,
        reasons=compared_with(record),
        left_out=sum(left_out_of(texts_of(texts)) for texts in record.scores["reasons"]),
        challenger=challenger_facts(record.summary.challenger) if record.summary.challenger else None,
        bedside=bedside_facts(record.bedside) if record.bedside else None,
        model=model_facts(record.card, record.gates) if record.card else None,
        model_version=record.request.model_version,
    )


def _bands(ledger: pd.DataFrame) -> tuple[tuple[str, int], ...]:
    scored = ledger[ledger["outcome"] == "scored"]
    bands = tuple((band, int((scored["band"] == band).sum())) for band in ("high", "moderate", "low"))
    return (*bands, ("indeterminate", int((ledger["outcome"] == "indeterminate").sum())))


def _set_aside(record: RunRecord, words: Words) -> tuple[SetAside, ...]:
    variables = record.condition.variables
    lines = [
        SetAside(variables[name].display if name in variables else name, words(reason), number)
        for name, reasons in record.set_aside.items()
        for reason, number in reasons.items()
    ]
    return tuple(sorted(lines, key=lambda line: (-line.count, line.variable, line.reason)))


def _durations(record: RunRecord) -> tuple[Duration, ...]:
    took = record.summary.durations
    longest = max([*took.values(), 1e-9])
    return tuple(
        Duration(STEPS.get(step, step.replace("_", " ")), seconds(one), one / longest) for step, one in took.items()
    )
