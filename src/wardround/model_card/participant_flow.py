"""Draws what became of the stays in the training data."""

from collections.abc import Sequence
from html import escape
from typing import Final

from wardround.model_card.card_words import left_out
from wardround.report.report_words import count, percent
from wardround.report.stay_flow import Loss, Stage
from wardround.report.svg import loss_lines, rect, stage_label, svg, turn_down
from wardround.training.model import Flow, Side

_TOP, _HEIGHT, _BAR = 58, 150, 12
# Where the bars of found and used stays and of the sides begin.
_FOUND, _USED, _SIDES = 0, 330, 660
_GAP: Final = 26
_LABEL_HEIGHT: Final = 84


def losses(cohort: Flow) -> tuple[Loss, ...]:
    """Returns the stays left out by reason, the most frequent first."""
    ordered = sorted(cohort.excluded.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Loss(left_out(reason), number) for reason, number in ordered)


def data_flow_stages(cohort: Flow, train: Side, test: Side) -> tuple[Stage, ...]:
    """Returns the same as a list, for screens too small for the drawing; empty without stays."""
    if not cohort.found:
        return ()
    return (
        Stage("Stays found", cohort.found, losses(cohort)),
        Stage("Used", cohort.used, ()),
        Stage("Training side", train.stays, (Loss("with the outcome", train.positives),)),
        Stage("Test side, scored once", test.stays, (Loss("with the outcome", test.positives),)),
    )


def data_flow_chart(cohort: Flow, train: Side, test: Side) -> str:
    """Draws found and used stays and both sides of the split, with branches to the reasons. "" without stays."""
    if not cohort.found:
        return ""
    scale = _HEIGHT / cohort.found
    used = max(scale * cohort.used, 1.5)
    parts = [rect("through", _FOUND + _BAR, _TOP, _USED - _FOUND - _BAR, used)]
    deepest = _TOP + _HEIGHT
    left = losses(cohort)
    if left:
        turn = _TOP + _HEIGHT + 16
        parts.append(turn_down(_FOUND + _BAR, _TOP + used, max(_HEIGHT - used, 1.5), turn))
        lines, deepest = loss_lines(left, _FOUND + _BAR + 8, turn + 22)
        parts += lines
    parts += [rect("stage", _FOUND, _TOP, _BAR, _HEIGHT), rect("stage", _USED, _TOP, _BAR, used)]
    parts += stage_label(Stage("Stays found", cohort.found, ()), f'x="{_FOUND}"')
    parts += stage_label(Stage("Used", cohort.used, ()), f'x="{_USED}"')
    sides, bottom = _sides(train, test, used)
    told = (
        f"{cohort.found} stays found, {cohort.used} used: {train.stays} in the training set,"
        f" {test.stays} in the test set"
    )
    return svg("data-flow", max(deepest, bottom) + 12, "Where the stays went", told, [*parts, *sides])


def _sides(train: Side, test: Side, used: float) -> tuple[Sequence[str], float]:
    stays = max(train.stays + test.stays, 1)
    start, y = float(_TOP), float(_TOP)
    parts: list[str] = []
    for name, side in (("Training side", train), ("Test side, scored once", test)):
        height = max(used * side.stays / stays, 1.5)
        parts.append(_ribbon(start, y, height))
        parts.append(rect("stage", _SIDES, y, _BAR, height))
        parts += _side_label(name, side, y)
        start += height
        y += max(height + _GAP, _LABEL_HEIGHT + 12)
    return parts, y


def _ribbon(start: float, end: float, height: float) -> str:
    """Returns a band from the bar of used stays to the bar of a side."""
    left, right = _USED + _BAR, _SIDES
    bend = (left + right) / 2
    return (
        f'<path class="through" d="M{left} {start:.1f} C{bend} {start:.1f} {bend} {end:.1f} {right} {end:.1f} '
        f"L{right} {end + height:.1f} C{bend} {end + height:.1f} {bend} {start + height:.1f} "
        f'{left} {start + height:.1f} Z"/>'
    )


def _side_label(name: str, side: Side, y: float) -> list[str]:
    x = _SIDES + _BAR + 14
    share = percent(side.positives / max(side.stays, 1))
    return [
        f'<text class="name" x="{x}" y="{y + 12:.1f}">{escape(name)}</text>',
        f'<text class="figure" x="{x}" y="{y + 38:.1f}">{count(side.stays)}</text>',
        f'<text class="reason" x="{x}" y="{y + 58:.1f}">of {count(side.patients)} patients</text>',
        f'<text class="reason" x="{x}" y="{y + 76:.1f}">{count(side.positives)} ({share}) with the outcome</text>',
    ]
