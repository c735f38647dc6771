"""The figures of a run for the history: those in the report without patients, and nothing about a single stay."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import pandas as pd

from wardround.core.ledger import EXCLUDED, FAILED, INDETERMINATE, SCORED
from wardround.core.run_overview import RunOverview
from wardround.core.run_summary import RunSummary
from wardround.core.stay_reasons import Reason
from wardround.report.change import known_shares
from wardround.report.units import SMALL, by_unit
from wardround.results.bands import HIGH, LOW, MODERATE
from wardround.spec.conditions import Condition

WHOLE: Final = ""
"""The unit under which figures of a whole run are kept."""

STREAM: Final = "stream-door"
"""What stands for the condition of an hour of the stream, whose units are its stages. No condition can have this id."""

_PER_UNIT: Final = ("found", "scored", "high", "indeterminate", "excluded", "failed")


class Figure(NamedTuple):
    """One figure of the whole run (WHOLE) or of a unit, with the name of its measure."""

    unit: str
    measure: str
    value: float


@dataclass(frozen=True)
class RunHistory:
    """What the history keeps about a run.

    Attributes:
        source: the connection's name, or the URL of the server.
        mode: live or shadow.
        state: one of `core.run_overview.STATES`.
        figures: ordered by unit and measure, each once.
    """

    run: str
    condition: str
    source: str
    as_of: datetime
    mode: str
    state: str
    model_version: str
    figures: tuple[Figure, ...]


def history_of(
    about: RunOverview,
    condition: Condition,
    summary: RunSummary,
    ledger: pd.DataFrame,
    set_aside: Mapping[str, Mapping[str, int]],
    inputs: tuple[Mapping[str, int], int],
) -> RunHistory:
    """Returns what the history keeps about a run that has ended.

    Args:
        about: overview of the run.
        condition: the condition that it screened for.
        summary: summary of the run.
        ledger: LEDGER_COLUMNS, one row per stay found.
        set_aside: variable -> reason -> how many readings were set aside.
        inputs: feature column -> in how many rows it is unknown, and the number of rows.
    """
    figures: Counter[tuple[str, str]] = Counter()
    for unit, measure, value in _figures(condition, summary, ledger, set_aside, inputs):
        # A server may have a unit with the name that we give to units counted together.
        figures[unit, measure] += value  # type: ignore[assignment]  # typeshed's Counter counts in whole numbers
    if about.as_of is None:
        raise ValueError("a run without a prediction time cannot be in the history")
    return RunHistory(
        run=about.run,
        condition=about.condition,
        source=about.source,
        as_of=about.as_of,
        mode=about.mode,
        state=about.state,
        model_version=about.model_version,
        figures=tuple(Figure(*key, float(value)) for key, value in sorted(figures.items())),
    )


class Change(NamedTuple):
    """A figure that differs between two runs; None if a run does not have it."""

    unit: str
    measure: str
    before: float | None
    after: float | None


def changes(before: RunHistory, after: RunHistory) -> tuple[Change, ...]:
    """Returns the figures that differ, by unit and measure."""
    then, now = ({(one.unit, one.measure): one.value for one in run.figures} for run in (before, after))
    keys = sorted(then.keys() | now.keys())
    return tuple(Change(*key, then.get(key), now.get(key)) for key in keys if then.get(key) != now.get(key))


def _figures(
    condition: Condition,
    summary: RunSummary,
    ledger: pd.DataFrame,
    set_aside: Mapping[str, Mapping[str, int]],
    inputs: tuple[Mapping[str, int], int],
) -> Iterator[Figure]:
    yield from (Figure(WHOLE, name, number) for name, number in summary.counts.items())
    scored = ledger[ledger["outcome"] == SCORED]
    yield from (Figure(WHOLE, band, int((scored["band"] == band).sum())) for band in (LOW, MODERATE, HIGH))
    if len(scored) >= SMALL:
        yield Figure(WHOLE, "mean_score", float(scored["score"].mean()))
    for outcome in (EXCLUDED, FAILED, INDETERMINATE):
        reasons = Counter(map(_ours, ledger["reason"][ledger["outcome"] == outcome]))
        yield from (Figure(WHOLE, f"{outcome}:{reason}", number) for reason, number in reasons.items())
    for variable, counts in set_aside.items():
        yield Figure(WHOLE, f"set_aside:{variable}", sum(counts.values()))
    for variable, share in known_shares(*inputs, condition).items():
        yield Figure(WHOLE, f"known:{variable}", round(share, 6))
    for name in ("hours_after_as_of", "http_requests"):
        value = getattr(summary, name)
        if value is not None:  # None if nothing was scored, or in an earlier release
            yield Figure(WHOLE, name, value)
    # Databases do not accept NUL characters in texts.
    units = ledger.assign(unit=ledger["unit"].str.replace("\0", "\N{REPLACEMENT CHARACTER}", regex=False))
    for unit in by_unit(units, SMALL):
        yield from (Figure(unit.unit, measure, getattr(unit, measure)) for measure in _PER_UNIT)


def _ours(text: str) -> str:
    """Returns a short reason such as `write:412`; for a longer one, which may quote a server, the step that failed."""
    return Reason.of(text).word or "other"
