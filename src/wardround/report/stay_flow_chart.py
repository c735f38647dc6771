"""Draws the stages of a run, for screens that are wide enough."""

from collections.abc import Sequence

from wardround.report.report_words import count
from wardround.report.stay_flow import Stage
from wardround.report.svg import WIDTH, loss_lines, rect, stage_label, svg, turn_down

# Where the bars begin, how tall the first is, and how wide each is.
_TOP, _HEIGHT, _BAR = 58, 132, 12


def flow_chart(stages: Sequence[Stage]) -> str:
    """Draws the stages from left to right, as tall as their stays; losses branch downwards to their reasons."""
    found = stages[0].count
    height = _HEIGHT if found else 0
    step = (WIDTH - _BAR) // (len(stages) - 1)
    heights = [*(height * stage.count / max(found, 1) for stage in stages), 0.0]
    parts: list[str] = []
    deepest = _TOP + height
    for place, stage in enumerate(stages):
        x = place * step
        last = place + 1 == len(stages)
        if not last:
            width, through = step - _BAR, heights[place + 1]
            parts.append(rect("through", x + _BAR, _TOP, width, through))
        if stage.losses:
            turn = _TOP + height + 16
            lost = max(heights[place] - heights[place + 1], 1.5)
            parts.append(turn_down(x + _BAR, _TOP + heights[place + 1], lost, turn))
            lines, bottom = loss_lines(stage.losses, x + _BAR + 8, turn + 22)
            parts += lines
            deepest = max(deepest, bottom)
        parts.append(rect("stage", x, _TOP, _BAR, max(heights[place], 1.5)))
        # The last label would run over the edge, so it ends at its bar.
        parts += stage_label(stage, f'x="{x + _BAR}" text-anchor="end"' if last else f'x="{x}"')
    told = "; ".join(f"{stage.name} {count(stage.count)}" for stage in stages)
    return svg("flow", deepest + 12, "From found to written", told, parts)
