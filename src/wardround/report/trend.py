"""Draws the stays found by successive runs as inline SVG, narrow enough for a phone."""

from collections.abc import Iterator, Sequence

from wardround.report.earlier import Point
from wardround.report.report_words import count, short_moment
from wardround.report.svg import rect, svg

_WIDTH, _TOP, _HEIGHT, _LEFT = 360, 40, 110, 22


def trend(points: Sequence[Point]) -> str:
    """Draws the stays found by each run, including those in the high band; the last is this run. "" without points."""
    if not points:
        return ""
    most = max(max(point.found for point in points), 1)
    pitch = (_WIDTH - _LEFT) / len(points)
    bottom = _TOP + _HEIGHT
    at = f'transform="translate(10 {_TOP + _HEIGHT / 2:.1f}) rotate(-90)"'
    parts = [
        rect("found", _LEFT, 5, 10, 10),
        f'<text class="axis" x="{_LEFT + 15}" y="14">found</text>',
        rect("high", _LEFT + 66, 5, 10, 10),
        f'<text class="axis" x="{_LEFT + 81}" y="14">of these, high</text>',
        f'<text class="title middle" {at}>Stays</text>',
    ]
    for place, point in enumerate(points):
        middle = _LEFT + pitch * (place + 0.5)
        last = place + 1 == len(points)
        parts += _column(point, middle, min(pitch - 8, 40), _HEIGHT / most, "now" if last else "found")
    told = "; ".join(f"{short_moment(point.as_of)}: {point.found} found, {point.high} high" for point in points)
    return svg("trend", bottom + 40, "Stays found by this run and the previous ones", told, parts, _WIDTH)


def _column(point: Point, middle: float, width: float, scale: float, kind: str) -> Iterator[str]:
    bottom = _TOP + _HEIGHT
    left, top = middle - width / 2, bottom - scale * point.found
    told = f"{short_moment(point.as_of)}: {count(point.found)} found, {count(point.high)} high"
    yield rect(kind, left, top, width, max(scale * point.found, 1), told)
    yield rect("high", left, bottom - scale * point.high, width, scale * point.high, told)
    yield f'<text class="axis middle" x="{middle:.1f}" y="{top - 5:.1f}">{count(point.found)}</text>'
    day, time = short_moment(point.as_of).split(", ")
    yield f'<text class="axis small middle" x="{middle:.1f}" y="{bottom + 16}">{day}</text>'
    yield f'<text class="axis small middle" x="{middle:.1f}" y="{bottom + 31}">{time}</text>'
