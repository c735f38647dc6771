"""SVG elements that all charts use; their texts are escaped."""

import textwrap
from collections.abc import Sequence
from html import escape
from typing import Final

from wardround.report.report_words import count
from wardround.report.stay_flow import Loss, Stage

WIDTH: Final = 960
_REASONS: Final = 5  # per stage; the page lists all of them further down


def rect(kind: str, x: float, y: float, width: float, height: float, told: str = "") -> str:
    """Returns a bar; `told` shows when the pointer is on it."""
    box = f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f"{box}><title>{escape(told)}</title></rect>" if told else f"{box}/>"


def svg(kind: str, height: float, title: str, description: str, parts: Sequence[str], width: int = WIDTH) -> str:
    """Returns a drawing of class `chart` and `kind`; a page has one of each kind, because its title has an id."""
    named = f'role="img" aria-labelledby="{kind}-title {kind}-desc"'
    return (
        f'<svg class="chart {kind}" viewBox="0 0 {width} {height:.0f}" {named}>'
        f'<title id="{kind}-title">{escape(title)}</title><desc id="{kind}-desc">{escape(description)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def stage_label(stage: Stage, at: str) -> list[str]:
    """Returns a stage's name and count; `at` has the attributes that place them."""
    return [
        f'<text class="name" {at} y="18">{escape(stage.name)}</text>',
        f'<text class="figure" {at} y="44">{count(stage.count)}</text>',
    ]


def turn_down(x: float, y: float, thickness: float, end: float) -> str:
    """Returns a ribbon that leaves to the right and bends down to `end`."""
    inner = x + 46
    outer = inner + min(thickness, 60)
    below = y + thickness
    return (
        f'<path class="lost" d="M{x} {y:.1f} C{outer:.1f} {y:.1f} {outer:.1f} {y:.1f} {outer:.1f} {end:.1f} '
        f'L{inner:.1f} {end:.1f} C{inner:.1f} {below:.1f} {inner:.1f} {below:.1f} {x} {below:.1f} Z"/>'
    )


def loss_lines(losses: Sequence[Loss], x: float, y: int) -> tuple[list[str], int]:
    """Returns the reasons of a stage's losses as wrapped text, and where the text ends."""
    shown, rest = list(losses[:_REASONS]), losses[_REASONS:]
    if rest:
        others = "1 other reason" if len(rest) == 1 else f"{len(rest)} other reasons"
        shown.append(Loss(f"for {others}, listed below", sum(loss.count for loss in rest)))
    lines = []
    for loss in shown:
        lines.append(f'<text class="reason number" x="{x + 26}" y="{y}">{count(loss.count)}</text>')
        for line in textwrap.wrap(loss.reason, 30, max_lines=3, placeholder=" …"):
            lines.append(f'<text class="reason" x="{x + 34}" y="{y}">{escape(line)}</text>')
            y += 16
        y += 4
    return lines, y
