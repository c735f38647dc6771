"""Draws the curves of a model card as inline SVG, in the style of the screening report."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from wardround.evaluation.metrics import Metric
from wardround.evaluation.results import CalibrationBin, Curves, DecisionPoint
from wardround.report.report_words import count, percent
from wardround.report.svg import svg

# Of a curve's drawing: its size, and the space for axes and legend.
_WIDTH, _HEIGHT = 360, 350
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 16, 46, 50
# Of the drawing of a whisker, which is in a table cell.
_WHISKER_WIDTH, _WHISKER_HEIGHT = 170, 20
_LARGEST_MARK: Final = 6.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """An axis from `low` to `high`: its title, and whether its figures are percentages."""

    title: str
    low: float = 0.0
    high: float = 1.0
    percentage: bool = False

    def place(self, value: float) -> float:
        """Returns the position of a value on the axis, from 0 to 1."""
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> tuple[float, ...]:
        """Returns four to eight round values at which to draw lines."""
        step = round_step((self.high - self.low) / 5)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return tuple(step * number for number in range(first, last + 1))

    def label(self, tick: float) -> str:
        """Returns the text of a tick, with no more decimals than neighbouring ticks need."""
        step = round_step((self.high - self.low) / 5) * (100 if self.percentage else 1)
        places = max(0, -math.floor(math.log10(step) + 1e-9))
        return percent(tick, places) if self.percentage else f"{tick:.{places}f}".replace("-", "\u2212")


@dataclass(frozen=True)
class _Plot:
    """A frame with two axes to draw in."""

    across: Axis
    up: Axis

    def x(self, value: float) -> float:
        """Returns the distance of a value from the left, in units of the drawing."""
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * self.across.place(value)

    def y(self, value: float) -> float:
        """Returns the distance of a value from the top."""
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - self.up.place(value))

    def path(self, kind: str, points: Sequence[Point]) -> str:
        """Returns a line through the points."""
        steps = " L".join(f"{self.x(across):.1f} {self.y(up):.1f}" for across, up in points)
        return f'<path class="{kind}" d="M{steps}"/>'

    def mark(self, kind: str, point: Point, radius: float, told: str) -> str:
        """Returns a dot that shows `told` when the pointer is on it."""
        at = f'cx="{self.x(point[0]):.1f}" cy="{self.y(point[1]):.1f}" r="{radius:.1f}"'
        return f'<circle class="{kind}" {at}><title>{escape(told)}</title></circle>'

    def axes(self) -> Iterator[str]:
        """Yields grid, figures and titles of both axes."""
        left, right = self.x(self.across.low), self.x(self.across.high)
        bottom, top = self.y(self.up.low), self.y(self.up.high)
        for tick in self.up.ticks():
            yield f'<line class="grid" x1="{left}" y1="{self.y(tick):.1f}" x2="{right}" y2="{self.y(tick):.1f}"/>'
            yield f'<text class="axis end" x="{left - 8}" y="{self.y(tick) + 4:.1f}">{self.up.label(tick)}</text>'
        for tick in self.across.ticks():
            yield f'<line class="grid" x1="{self.x(tick):.1f}" y1="{bottom}" x2="{self.x(tick):.1f}" y2="{top}"/>'
            at = f'x="{self.x(tick):.1f}" y="{bottom + 18}"'
            yield f'<text class="axis middle" {at}>{self.across.label(tick)}</text>'
        middle = (left + right) / 2
        yield f'<text class="title middle" x="{middle}" y="{_HEIGHT - 8}">{escape(self.across.title)}</text>'
        at = f'transform="translate(13 {(bottom + top) / 2}) rotate(-90)"'
        yield f'<text class="title middle" {at}>{escape(self.up.title)}</text>'


def roc_chart(curves: Curves, operating: tuple[Metric | None, Metric | None], threshold: float) -> str:
    """Draws sensitivity by 1 - specificity; "" without points. `operating`: specificity, sensitivity at threshold.

    The curve has few of its points, but always this one, so that the mark lies on it.
    """
    plot = _Plot(Axis("False positive rate (1 − specificity)"), Axis("Sensitivity"))
    points = [(point.false_positive_rate, point.sensitivity) for point in curves.roc]
    specificity, sensitivity = operating
    at = None
    if specificity and sensitivity and specificity.value is not None and sensitivity.value is not None:
        at = (1 - specificity.value, sensitivity.value)
        points = sorted((*points, at)) if points else []
    reference = plot.path("reference", [(0, 0), (1, 1)])
    return _discrimination("roc", "ROC curve", plot, points, (reference, "chance"), at, threshold)


def precision_recall_chart(
    curves: Curves, operating: tuple[Metric | None, Metric | None], threshold: float, prevalence: Metric | None
) -> str:
    """Draws PPV by sensitivity; "" without points. `operating`: sensitivity and PPV at the threshold."""
    plot = _Plot(Axis("Sensitivity (recall)"), Axis("Positive predictive value (precision)"))
    points = [(point.recall, point.precision) for point in curves.precision_recall]
    sensitivity, ppv = operating
    at = None
    if sensitivity and ppv and sensitivity.value is not None and ppv.value is not None:
        at = (sensitivity.value, ppv.value)
        # Of one sensitivity, a looser threshold has the lower predictive value.
        points = sorted((*points, at), key=lambda point: (point[0], -point[1])) if points else []
    share = (prevalence.value if prevalence else None) or 0.0
    reference = plot.path("reference", [(0, share), (1, share)])
    return _discrimination(
        "precision-recall", "Precision-recall curve", plot, points, (reference, "chance"), at, threshold
    )


def _discrimination(
    kind: str,
    title: str,
    plot: _Plot,
    points: Sequence[Point],
    reference: tuple[str, str],
    operating: Point | None,
    threshold: float,
) -> str:
    if not points:
        return ""
    parts = [*plot.axes(), reference[0], plot.path("curve", points)]
    legend = [("curve", "model"), ("reference", reference[1])]
    if operating:
        told = f"high from {percent(threshold)}"
        parts.append(plot.mark("mark", operating, 5, told))
        legend.append(("mark", told))
    told = f"{plot.up.title} by {plot.across.title.lower()}, {len(points)} points"
    return svg(f"plot {kind}", _HEIGHT, title, told, [*parts, *_legend(legend)], _WIDTH)


def calibration_chart(bins: Sequence[CalibrationBin]) -> str:
    """Draws how often the outcome occurred by predicted probability; larger dots have more rows; "" without bins."""
    if not bins:
        return ""
    highest = _round_up(max(max(each.mean_predicted, each.observed) for each in bins))
    plot = _Plot(
        Axis("Predicted probability", high=highest, percentage=True),
        Axis("Share with the outcome", high=highest, percentage=True),
    )
    most = max(each.rows for each in bins)
    points = [(each.mean_predicted, each.observed) for each in bins]
    marks = [
        plot.mark(
            "bin",
            point,
            max(2.5, _LARGEST_MARK * math.sqrt(each.rows / most)),
            f"predicted {percent(point[0])}, observed {percent(point[1])}, {count(each.rows)} predictions",
        )
        for point, each in zip(points, bins, strict=True)
    ]
    parts = [
        *plot.axes(),
        plot.path("reference", [(0, 0), (highest, highest)]),
        plot.path("curve", points),
        *marks,
        *_legend([("curve", "model, in groups of predictions"), ("reference", "ideal")]),
    ]
    told = f"Share with the outcome by predicted probability, {len(bins)} groups of predictions"
    return svg("plot calibration", _HEIGHT, "Calibration curve", told, parts, _WIDTH)


def decision_chart(points: Sequence[DecisionPoint]) -> str:
    """Draws net benefit by threshold, of the model and of acting on every patient; "" without points."""
    if len(points) < 2:
        return ""
    model = [(point.threshold, point.net_benefit) for point in points]
    everybody = [(point.threshold, point.treat_all) for point in points]
    highest = _round_up(max(0.01, *(up for _, up in (*model, *everybody))))
    # Acting on every patient falls without limit; below this the curve only says that it harms.
    floor = -highest / 4
    plot = _Plot(
        Axis("Threshold for acting", points[0].threshold, points[-1].threshold, percentage=True),
        Axis("Net benefit per prediction", floor, highest),
    )
    ends = (plot.across.low, 0.0), (plot.across.high, 0.0)
    parts = [
        *plot.axes(),
        plot.path("reference", ends),
        plot.path("other", _above(everybody, floor)),
        plot.path("curve", _above(model, floor)),
        *_legend([("curve", "act by the model"), ("other", "act on all"), ("reference", "act on nobody")]),
    ]
    told = f"Net benefit by threshold, {len(points)} thresholds"
    return svg("plot decision", _HEIGHT, "Decision curve", told, parts, _WIDTH)


def whisker(metric: Metric | None, axis: Axis, overall: float | None) -> str:
    """Returns a metric with its interval as a dot on a line, for a table cell that also contains the figures.

    Without an interval there is nothing to see: a dot alone would look like a result.
    """
    if metric is None or metric.value is None or metric.interval is None:
        return ""
    parts = []
    if overall is not None:
        x = _along(axis, overall)
        parts.append(f'<line class="reference" x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{_WHISKER_HEIGHT}"/>')
    middle = _WHISKER_HEIGHT / 2
    low, high = (_along(axis, end) for end in metric.interval)
    parts.append(f'<line class="whisker" x1="{low:.1f}" y1="{middle}" x2="{high:.1f}" y2="{middle}"/>')
    parts.append(f'<circle class="bin" cx="{_along(axis, metric.value):.1f}" cy="{middle}" r="4"/>')
    return _small("".join(parts))


def whisker_axis(axis: Axis) -> str:
    """Returns the figures at both ends and in the middle of the whiskers below."""
    ticks = ((axis.low, "start"), ((axis.low + axis.high) / 2, "middle"), (axis.high, "end"))
    return _small(
        "".join(
            f'<text class="axis {anchor}" x="{_along(axis, tick):.1f}" y="14">{tick:.2g}</text>'
            for tick, anchor in ticks
        )
    )


def _small(parts: str) -> str:
    box = f'viewBox="0 0 {_WHISKER_WIDTH} {_WHISKER_HEIGHT}"'
    return f'<svg class="chart small" {box} aria-hidden="true">{parts}</svg>'


def _along(axis: Axis, value: float) -> float:
    return 5 + (_WHISKER_WIDTH - 10) * min(max(axis.place(value), 0.0), 1.0)


def _above(points: Sequence[Point], floor: float) -> list[Point]:
    """Returns the points up to where the line first falls below `floor`, and that place itself."""
    kept: list[Point] = []
    for across, up in points:
        if up < floor:
            if kept:
                before = kept[-1]
                share = (before[1] - floor) / (before[1] - up)
                kept.append((before[0] + share * (across - before[0]), floor))
            break
        kept.append((across, up))
    return kept or [(points[0][0], floor)]


def _legend(entries: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yields entries side by side, continuing on a second line at the edge."""
    x, y = float(_LEFT), 10
    for kind, text in entries:
        width = 46 + 6.6 * len(text)
        if x > _LEFT and x + width - 16 > _WIDTH:
            x, y = float(_LEFT), y + 17
        if kind == "mark":
            yield f'<circle class="mark" cx="{x + 11:.1f}" cy="{y}" r="5"/>'
        else:
            yield f'<path class="{kind}" d="M{x:.1f} {y} L{x + 22:.1f} {y}"/>'
        yield f'<text class="axis" x="{x + 28:.1f}" y="{y + 4}">{escape(text)}</text>'
        x += width


def round_step(rough: float) -> float:
    """Returns the smallest of 1, 2 and 5 times a power of ten that is not below `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return float(next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9)))


def _round_up(highest: float) -> float:
    """Returns the end of an axis that includes `highest`: a whole number of round steps, at most 1 for shares."""
    step = round_step(max(highest, 1e-6) / 5)
    return step * math.ceil(highest / step - 1e-9)
