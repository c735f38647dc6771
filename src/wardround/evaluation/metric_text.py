"""Writes a metric as plain text: never a value alone, but with its interval or the reason why there is none."""

from collections.abc import Callable

from wardround.evaluation.metrics import Metric


def in_text(metric: Metric, sign: str = "", escaped: Callable[[str], str] = str) -> str:
    """Returns `0.812 (0.741 to 0.876)`, or a reason instead of what is missing.

    Args:
        metric: the metric.
        sign: `+` for a difference.
        escaped: escapes a reason for the page that it is written on.
    """
    if metric.value is None:
        return escaped(metric.why_no_interval)
    if metric.interval is None:
        return f"{metric.value:{sign}.3f} ({escaped(metric.why_no_interval)})"
    low, high = metric.interval
    return f"{metric.value:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"


def unless_sure(metric: Metric) -> str:
    """Returns why the metric has no interval, in brackets after a space; empty if it has one."""
    return "" if metric.interval else f" ({metric.why_no_interval})"
