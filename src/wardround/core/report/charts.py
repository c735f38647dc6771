"""Numbers in, inline SVG out. Colours come from the page's classes, so that light, dark and paper share one drawing."""

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Final

import numpy as np

from wardround.core.report.flow import Stage
from wardround.core.report.svg import WIDTH, loss_lines, rect, stage_label, svg, turn_down
from wardround.core.report.words import count, percent, seconds

BANDS: Final = ("low", "moderate", "high")  # in the order in which they are stacked
_BINS: Final = 50

# The flow: where its bars begin, how high the first is, and how wide each is.
_FLOW_TOP, _FLOW_HEIGHT, _FLOW_BAR = 58, 132, 12
# The histogram's frame.
_LEFT, _RIGHT, _TOP, _HEIGHT = 40, 24, 34, 170
_ACROSS: Final = WIDTH - _LEFT - _RIGHT


def flow_chart(stages: Sequence[Stage]) -> str:
    """The stages of a run from left to right, as high as they have stays; losses turn downwards to their reasons."""
    found = stages[0].count
    height = _FLOW_HEIGHT if found else 0
    step = (WIDTH - _FLOW_BAR) // (len(stages) - 1)
    heights = [*(height * stage.count / max(found, 1) for stage in stages), 0.0]
    parts: list[str] = []
    deepest = _FLOW_TOP + height
    for place, stage in enumerate(stages):
        x = place * step
        last = place + 1 == len(stages)
        if not last:
            width, through = step - _FLOW_BAR, heights[place + 1]
            parts.append(rect("through", x + _FLOW_BAR, _FLOW_TOP, width, through))
        if stage.losses:
            turn = _FLOW_TOP + height + 16
            lost = max(heights[place] - heights[place + 1], 1.5)
            parts.append(turn_down(x + _FLOW_BAR, _FLOW_TOP + heights[place + 1], lost, turn))
            lines, bottom = loss_lines(stage.losses, x + _FLOW_BAR + 8, turn + 22)
            parts += lines
            deepest = max(deepest, bottom)
        parts.append(rect("stage", x, _FLOW_TOP, _FLOW_BAR, max(heights[place], 1.5)))
        # The last label would run over the edge, so it ends at its bar.
        parts += stage_label(stage, f'x="{x + _FLOW_BAR}" text-anchor="end"' if last else f'x="{x}"')
    told = "; ".join(f"{stage.name} {count(stage.count)}" for stage in stages)
    return svg("flow", deepest + 12, "From found to written", told, parts)


def histogram(scores: np.ndarray, bands: Sequence[str], thresholds: Mapping[str, float]) -> str:
    """Scores (0 to 1) in equal steps, stacked by band, with the thresholds as lines; "" without scores."""
    if not len(scores):
        return ""
    edges = np.linspace(0, 1, _BINS + 1)
    counts = {band: np.histogram(scores[np.array(bands) == band], edges)[0] for band in BANDS}
    highest = int(np.sum(list(counts.values()), axis=0).max())
    step = _round_step(highest)
    ceiling = math.ceil(highest / step) * step
    parts = [
        *_grid_lines(range(0, ceiling + 1, step), ceiling),
        *_bars(counts, edges, ceiling),
        *_score_axis(),
        *_threshold_lines(thresholds),
    ]
    told = ", ".join(f"{int(numbers.sum())} {band}" for band, numbers in counts.items())
    return svg("histogram", _TOP + _HEIGHT + 32, "Distribution of scores", f"Stays by score: {told}", parts)


def _grid_lines(ticks: Sequence[int], ceiling: int) -> Iterator[str]:
    for tick in ticks:
        y = _TOP + _HEIGHT * (1 - tick / ceiling)
        yield f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{WIDTH - _RIGHT}" y2="{y:.1f}"/>'
        yield f'<text class="axis end" x="{_LEFT - 8}" y="{y + 4:.1f}">{count(tick)}</text>'


def _bars(counts: Mapping[str, np.ndarray], edges: np.ndarray, ceiling: int) -> Iterator[str]:
    width = _ACROSS / _BINS - 2
    for place, (start, end) in enumerate(pairwise(edges)):
        base = float(_TOP + _HEIGHT)
        for band, numbers in counts.items():
            stays = int(numbers[place])
            if stays:
                base -= _HEIGHT * stays / ceiling
                told = f"{percent(start, 0)} to {percent(end, 0)}: {count(stays)} {band}"
                yield rect(band, _LEFT + _ACROSS * start + 1, base, width, _HEIGHT * stays / ceiling, told)


def _score_axis() -> Iterator[str]:
    for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        at = f'x="{_LEFT + _ACROSS * share:.1f}" y="{_TOP + _HEIGHT + 20}"'
        yield f'<text class="axis middle" {at}>{percent(share, 0)}</text>'


def _threshold_lines(thresholds: Mapping[str, float]) -> Iterator[str]:
    for band, at in thresholds.items():
        x = _LEFT + _ACROSS * at
        # Two thresholds may be close: moderate is written to the left of its line, high to the right.
        side, anchor = (-6, "end") if band == "moderate" and at > 0.15 else (6, "start")
        y = 10 if anchor == "start" and band == "moderate" else 24
        yield f'<line class="threshold" x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{_TOP + _HEIGHT}"/>'
        yield f'<text class="axis {anchor}" x="{x + side:.1f}" y="{y}">{escape(band)} from {percent(at)}</text>'


def _round_step(highest: int) -> int:
    """A step of 1, 2 or 5 times a power of ten that gives at most five lines."""
    rough = max(highest / 4, 1)
    power = 10 ** math.floor(math.log10(rough))
    return int(next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough))


def duration_bars(steps: Mapping[str, float]) -> str:
    """The steps of a run in order, each a bar as long as it took (in seconds); "" without steps."""
    if not steps:
        return ""
    row, left, right = 26, 150, 90
    longest = max(*steps.values(), 1e-9)
    parts = []
    for place, (name, took) in enumerate(steps.items()):
        y = place * row
        width = (WIDTH - left - right) * took / longest
        parts.append(f'<text class="axis" x="0" y="{y + 16}">{escape(name.replace("_", " "))}</text>')
        parts.append(rect("step", left, y + 5, max(width, 1), 14))
        parts.append(f'<text class="axis" x="{left + width + 8:.1f}" y="{y + 16}">{seconds(took)}</text>')
    told = ", ".join(f"{name} {seconds(took)}" for name, took in steps.items())
    return svg("durations", len(steps) * row + 4, "Duration of each step", told, parts)
