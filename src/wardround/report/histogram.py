"""Draws the distribution of scores as inline SVG. The page sets the colours, light or dark."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Final

import numpy as np

from wardround.report.report_words import count, percent
from wardround.report.svg import WIDTH, rect, svg

BANDS: Final = ("low", "moderate", "high")  # in stacking order
_BINS: Final = 20


@dataclass(frozen=True)
class Frame:
    """The frame of a histogram, as wide as its screen, so that its text is as large as the text around it."""

    kind: str
    width: int
    left: int = 52
    right: int = 18
    top: int = 38
    height: int = 170

    @property
    def across(self) -> int:
        return self.width - self.left - self.right

    @property
    def bottom(self) -> int:
        return self.top + self.height


_WIDE: Final = Frame("histogram", WIDTH)
NARROW: Final = Frame("histogram-narrow", 360, right=22)


def histogram(scores: np.ndarray, bands: Sequence[str], thresholds: Mapping[str, float], frame: Frame = _WIDE) -> str:
    """Draws scores (0 to 1) in equal steps, stacked by band, with the thresholds as lines; "" without scores."""
    if not len(scores):
        return ""
    edges = np.linspace(0, 1, _BINS + 1)
    counts = {band: np.histogram(scores[np.array(bands) == band], edges)[0] for band in BANDS}
    highest = int(np.sum(list(counts.values()), axis=0).max())
    step = _round_step(highest)
    ceiling = math.ceil(highest / step) * step
    parts = [
        *_grid_lines(range(0, ceiling + 1, step), ceiling, frame),
        *_bars(counts, edges, ceiling, frame),
        *_titles(frame),
        *_threshold_lines(thresholds, frame),
    ]
    told = ", ".join(f"{int(numbers.sum())} {band}" for band, numbers in counts.items())
    return svg(frame.kind, frame.bottom + 46, "Distribution of scores", f"Stays by score: {told}", parts, frame.width)


def _grid_lines(ticks: Sequence[int], ceiling: int, frame: Frame) -> Iterator[str]:
    for tick in ticks:
        y = frame.top + frame.height * (1 - tick / ceiling)
        yield f'<line class="grid" x1="{frame.left}" y1="{y:.1f}" x2="{frame.width - frame.right}" y2="{y:.1f}"/>'
        yield f'<text class="axis end" x="{frame.left - 8}" y="{y + 4:.1f}">{count(tick)}</text>'


def _bars(counts: Mapping[str, np.ndarray], edges: np.ndarray, ceiling: int, frame: Frame) -> Iterator[str]:
    width = frame.across / _BINS - 2
    for place, (start, end) in enumerate(pairwise(edges)):
        base = float(frame.bottom)
        for band, numbers in counts.items():
            stays = int(numbers[place])
            if stays:
                tall = frame.height * stays / ceiling
                base -= tall
                told = f"{percent(start, 0)} to {percent(end, 0)}: {count(stays)} {band}"
                yield rect(band, frame.left + frame.across * start + 1, base, width, tall, told)


def _titles(frame: Frame) -> Iterator[str]:
    for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        at = f'x="{frame.left + frame.across * share:.1f}" y="{frame.bottom + 18}"'
        yield f'<text class="axis middle" {at}>{percent(share, 0)}</text>'
    yield f'<text class="title middle" x="{frame.left + frame.across / 2:.1f}" y="{frame.bottom + 40}">Score</text>'
    at = f'transform="translate(12 {frame.top + frame.height / 2:.1f}) rotate(-90)"'
    yield f'<text class="title middle" {at}>Stays</text>'


def _threshold_lines(thresholds: Mapping[str, float], frame: Frame) -> Iterator[str]:
    """Yields a line at each threshold; each label is on its own line, because two thresholds may be close."""
    for place, (band, at) in enumerate(sorted(thresholds.items(), key=lambda pair: pair[1])):
        x, y = frame.left + frame.across * at, 12 + 16 * place
        # A label that would run over the edge is placed to the left of its line.
        side, anchor = (-6, "end") if at > 0.6 else (6, "start")
        yield f'<line class="threshold" x1="{x:.1f}" y1="{y - 10}" x2="{x:.1f}" y2="{frame.bottom}"/>'
        yield f'<text class="axis {anchor}" x="{x + side:.1f}" y="{y}">{escape(band)} from {percent(at)}</text>'


def _round_step(highest: int) -> int:
    """Returns a step of 1, 2 or 5 times a power of ten that gives at most five lines."""
    rough = max(highest / 4, 1)
    power = 10 ** math.floor(math.log10(rough))
    return int(next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough))
