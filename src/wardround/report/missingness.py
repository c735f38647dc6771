"""Arranges how often each feature is unknown as a grid of variables and summaries."""

from collections.abc import Mapping
from dataclasses import dataclass

from wardround.features.build import WITHOUT_EVENTS
from wardround.report.report_words import SUMMARIES, window
from wardround.results.rationale import DEMOGRAPHIC_WORDS
from wardround.spec.conditions import Condition, Feature


@dataclass(frozen=True)
class UnknownRow:
    """One variable over one window; `shares` has the share unknown of each summary, None if it is not a feature."""

    display: str
    window: str
    shares: tuple[float | None, ...]


@dataclass(frozen=True)
class UnknownGrid:
    """The shares of feature rows in which each feature is unknown.

    Attributes:
        rows: number of feature rows.
        demographics: display and share.
        summaries: the columns of the grid.
        variables: the rows of the grid.
    """

    rows: int
    demographics: tuple[tuple[str, float], ...]
    summaries: tuple[str, ...]
    variables: tuple[UnknownRow, ...]


def unknown_grid(unknown: Mapping[str, int], rows: int, condition: Condition) -> UnknownGrid:
    """Returns the grid for a run whose features have `unknown` unknown values per column in `rows` rows."""
    shares = {column: number / rows if rows else 0.0 for column, number in unknown.items()}
    # How often something was measured, and whether at all, is never unknown.
    asked = [feature for feature in condition.feature_list if feature.summary not in WITHOUT_EVENTS]
    used = [summary for summary in SUMMARIES if any(feature.summary == summary for feature in asked)]
    lines: dict[tuple[str, str], dict[str, Feature]] = {}
    for feature in asked:
        line = (condition.variables[feature.variable].display, window(feature.window))
        lines.setdefault(line, {})[feature.summary] = feature
    return UnknownGrid(
        rows=rows,
        demographics=tuple(
            (DEMOGRAPHIC_WORDS[name], shares[name]) for name in condition.features.demographics if name in shares
        ),
        summaries=tuple(SUMMARIES[summary] for summary in used),
        variables=tuple(
            UnknownRow(
                display,
                length,
                tuple(shares.get(features[summary].name) if summary in features else None for summary in used),
            )
            for (display, length), features in lines.items()
        ),
    )
