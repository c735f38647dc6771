"""Prometheus' text format, for the processes that count. (Its Python client is not in the lock.)"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import groupby
from typing import Final, Literal, NamedTuple

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]
Series = tuple[str, Labels]
_PARTS: Final = ("_bucket", "_sum", "_count")


class Metric(NamedTuple):
    """What a metric is, and what it says. The series of a histogram end with _bucket, _sum and _count."""

    kind: Literal["counter", "gauge", "histogram"]
    help: str


Metrics = Mapping[str, Metric]


def exposition(values: Mapping[Series, float], metrics: Metrics) -> str:
    """Returns the values in the text format, each metric with its help and kind."""
    metric = {name: _metric(name, metrics) for name, _ in values}
    in_order = sorted(values, key=partial(_order, metric))
    return "".join(
        f"# HELP {name} {metrics[name].help}\n# TYPE {name} {metrics[name].kind}\n{''.join(_samples(series, values))}"
        for name, series in groupby(in_order, key=lambda one: metric[one[0]])
    )


def bucket_bound(bound: float) -> str:
    """Returns the label `le` of a bucket."""
    return _number(bound)


def _samples(series: Iterable[Series], values: Mapping[Series, float]) -> Iterator[str]:
    for name, labels in series:
        shown = ",".join(f'{label}="{value}"' for label, value in labels)
        yield f"{name}{f'{{{shown}}}' if shown else ''} {_number(values[name, labels])}\n"


def _metric(name: str, metrics: Metrics) -> str:
    for part in _PARTS:
        whole = name.removesuffix(part)
        if whole in metrics and metrics[whole].kind == "histogram":
            return whole
    return name


def _order(metric: Mapping[str, str], series: Series) -> tuple[str, Labels, str, float]:
    """Returns what sorts the buckets of a histogram by their bounds, before their sum and count."""
    name, labels = series
    bounds = [float(value) for label, value in labels if label == "le"]
    return metric[name], tuple(one for one in labels if one[0] != "le"), name, bounds[0] if bounds else 0.0


def _number(value: float) -> str:
    return "+Inf" if value == float("inf") else f"{value:.15g}"
