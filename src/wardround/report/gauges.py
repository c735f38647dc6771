"""The figures of a run for those who watch an installation: counts and times, nothing about a single stay.

What a label may say is a rule of its own (docs/operations/watched.md): no patient, no run, no value of a model's input,
and no unit with fewer than FEWEST stays.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import pandas as pd

from wardround.core.ledger import EXCLUDED, FAILED, INDETERMINATE, SCORED
from wardround.core.run_overview import RunOverview
from wardround.core.run_summary import WRONG, RunSummary
from wardround.report.units import by_unit
from wardround.results.bands import HIGH, LOW, MODERATE

FEWEST: Final = 10
"""The fewest stays of a unit that a label names. Figures leave Wardround here, and are kept by others for long."""

UNNAMED_SOURCE: Final = "unnamed"
"""Stands for a source that is no connection: its URL, or its folder, may say more than a label should."""

_OF_UNIT: Final = ("found", "scored", "high", "indeterminate", "excluded", "failed")
_LONGEST: Final = 100  # characters of a unit's name


class Meaning(NamedTuple):
    """What a gauge says, and its unit as OpenTelemetry writes it: a word in braces is none, and in no metric's name."""

    unit: str
    says: str


STAYS: Final = "wardround.screening.stays"
EXPECTED: Final = "wardround.screening.stays_expected"
BEFORE: Final = "wardround.screening.stays_before"
DOUBT: Final = "wardround.screening.census_in_doubt"
BANDS: Final = "wardround.screening.bands"
TO_WRITE: Final = "wardround.screening.to_write"
WRITTEN: Final = "wardround.screening.written"
DIFFERING: Final = "wardround.screening.differing"
SET_ASIDE: Final = "wardround.screening.readings_set_aside"
COMPLETE: Final = "wardround.screening.complete"
AS_OF: Final = "wardround.screening.as_of"
AGE: Final = "wardround.screening.as_of_age"
DURATION: Final = "wardround.screening.duration"
UNIT_STAYS: Final = "wardround.screening.unit_stays"

GAUGES: Final[Mapping[str, Meaning]] = {
    STAYS: Meaning("{stay}", "Stays found, by what became of them."),
    EXPECTED: Meaning("{stay}", "Fewest stays that the condition expects (`cohort.at_least`)."),
    BEFORE: Meaning("{stay}", "Stays that the run before found, if there is one to compare with."),
    DOUBT: Meaning("{run}", "1: far fewer stays were found than expected."),
    BANDS: Meaning("{stay}", "Stays scored, by band."),
    TO_WRITE: Meaning("{stay}", "RiskAssessments to write; a run in shadow mode writes none of them."),
    WRITTEN: Meaning("{stay}", "Stays whose RiskAssessment the server holds."),
    DIFFERING: Meaning("{stay}", "Stays for which the server does not hold what the ledger says, by what is wrong."),
    SET_ASIDE: Meaning("{reading}", "Readings that were set aside, by variable."),
    COMPLETE: Meaning("{run}", "1: few enough stays failed, and the server holds what the ledger says."),
    AS_OF: Meaning("s", "The prediction time of the latest run, in seconds since 1970."),
    AGE: Meaning("s", "How old the prediction time was when the run was reconciled."),
    DURATION: Meaning("s", "From the beginning of the run to the end of reconcile."),
    UNIT_STAYS: Meaning("{stay}", f"Stays of a unit, by what became of them; units below {FEWEST} stays together."),
}
"""Every gauge that a run can have."""


class Gauge(NamedTuple):
    """One figure, with the name of its gauge and its labels."""

    name: str
    labels: Mapping[str, str]
    value: float


def gauges_of(
    about: RunOverview,
    source: str | None,
    summary: RunSummary,
    ledger: pd.DataFrame,
    set_aside: Mapping[str, Mapping[str, int]],
) -> tuple[Gauge, ...]:
    """Returns the figures of a run that was reconciled, ordered by gauge.

    Args:
        about: overview of the run.
        source: name of the connection that it read; None for a source without a name.
        summary: summary of the run.
        ledger: unit, outcome and band, one row per stay found.
        set_aside: variable -> reason -> how many readings were set aside.
    """
    labels = {"condition": about.condition, "source": source or UNNAMED_SOURCE, "mode": about.mode}
    # A server may give a unit the name that we give to units counted together.
    figures: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
    for name, more, value in _figures(about, summary, ledger, set_aside):
        figures[name, tuple(more.items())] += value  # type: ignore[assignment]  # typeshed's Counter has whole numbers
    order = list(GAUGES)
    in_order = sorted(figures.items(), key=lambda one: (order.index(one[0][0]), one[0][1]))
    return tuple(Gauge(name, {**labels, **dict(more)}, float(value)) for (name, more), value in in_order)


def _figures(
    about: RunOverview, summary: RunSummary, ledger: pd.DataFrame, set_aside: Mapping[str, Mapping[str, int]]
) -> Iterator[Gauge]:
    for outcome in (SCORED, INDETERMINATE, EXCLUDED, FAILED):
        yield Gauge(STAYS, {"outcome": outcome}, getattr(summary, outcome))
    scored = ledger["band"][ledger["outcome"] == SCORED]
    yield from (Gauge(BANDS, {"band": band}, int((scored == band).sum())) for band in (LOW, MODERATE, HIGH))
    yield Gauge(EXPECTED, {}, summary.census.at_least)
    yield Gauge(DOUBT, {}, bool(summary.census.doubt))
    if summary.census.before:
        yield Gauge(BEFORE, {}, summary.census.before.found)
    yield Gauge(TO_WRITE, {}, summary.to_write)
    yield Gauge(WRITTEN, {}, summary.written)
    wrong = Counter(summary.problems.values())
    yield from (Gauge(DIFFERING, {"what": what}, wrong[what]) for what in WRONG)
    for variable, reasons in set_aside.items():
        yield Gauge(SET_ASIDE, {"variable": variable}, sum(reasons.values()))
    yield Gauge(COMPLETE, {}, summary.complete)
    yield from _times(about)
    for unit in by_unit(ledger, FEWEST):
        named = {"unit": unit.unit[:_LONGEST]}
        yield from (Gauge(UNIT_STAYS, {**named, "outcome": what}, getattr(unit, what)) for what in _OF_UNIT)


def _times(about: RunOverview) -> Iterator[Gauge]:
    if about.as_of is not None:
        yield Gauge(AS_OF, {}, about.as_of.timestamp())
        if about.ended is not None:
            yield Gauge(AGE, {}, (about.ended - about.as_of).total_seconds())
    if about.began is not None and about.ended is not None:
        yield Gauge(DURATION, {}, (about.ended - about.began).total_seconds())
