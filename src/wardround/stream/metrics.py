"""Counts of one process of the stream, in Prometheus' text format. No label comes from a message or a patient."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Final, NamedTuple

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

STAGE_SECONDS: Final = "wardround_stream_stage_seconds"
ACKNOWLEDGED_SECONDS: Final = "wardround_stream_acknowledged_seconds"
FINISHED: Final = "wardround_stream_finished_total"
LOST_LEASES: Final = "wardround_stream_lost_leases_total"
WORKS: Final = "wardround_stream_works"
OPEN: Final = "wardround_stream_open"
OLDEST: Final = "wardround_stream_oldest_seconds"
DEAD_LETTERS: Final = "wardround_stream_dead_letters"
RECEIVED: Final = "wardround_stream_received_total"
ACKNOWLEDGED: Final = "wardround_stream_acknowledged_total"
CONNECTIONS: Final = "wardround_stream_connections"


class _Metric(NamedTuple):
    kind: str
    help: str


METRICS: Final = {
    FINISHED: _Metric("counter", "Messages that a stage has handled, by what became of them."),
    STAGE_SECONDS: _Metric("histogram", "Seconds from taking a message to its end or its next waiting."),
    LOST_LEASES: _Metric("counter", "Messages that were handled too slowly, and that another process had taken."),
    WORKS: _Metric("gauge", "1 if the stage has what it needs, 0 if it waits for that."),
    OPEN: _Metric("gauge", "Open messages of a stage: waiting, or being handled."),
    OLDEST: _Metric("gauge", "Seconds since the oldest open message of a stage was due."),
    DEAD_LETTERS: _Metric("gauge", "Dead letters that nobody has dealt with."),
    RECEIVED: _Metric("counter", "Messages received, by source and by whether they are new, repeated or refused."),
    ACKNOWLEDGED: _Metric("counter", "Acknowledgements sent, by source and code."),
    ACKNOWLEDGED_SECONDS: _Metric("histogram", "Seconds from the last byte of a message to its acknowledgement."),
    CONNECTIONS: _Metric("gauge", "Connections that are open, by source."),
}
_BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1200.0)

Labels = tuple[tuple[str, str], ...]
Series = tuple[str, Labels]


class Metrics:
    """The counts; any thread may add to them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[Series, float] = defaultdict(float)

    def add(self, name: str, count: float = 1, **labels: str) -> None:
        """Adds to a counter, or to a gauge that goes up and down."""
        with self._lock:
            self._values[name, tuple(labels.items())] += count

    def set(self, name: str, value: float, **labels: str) -> None:
        """Sets a gauge."""
        with self._lock:
            self._values[name, tuple(labels.items())] = value

    def took(self, name: str, seconds: float, **labels: str) -> None:
        """Counts something that took so many seconds, in a histogram."""
        given = tuple(labels.items())
        with self._lock:
            for bucket in (*_BUCKETS, float("inf")):
                self._values[f"{name}_bucket", (*given, ("le", _number(bucket)))] += seconds <= bucket
            self._values[f"{name}_sum", given] += seconds
            self._values[f"{name}_count", given] += 1

    def text(self) -> str:
        """Returns all in Prometheus' text format."""
        with self._lock:
            values = dict(self._values)
        return "".join(_lines(values))


def _lines(values: Mapping[Series, float]) -> Iterator[str]:
    for metric, series in groupby(sorted(values, key=_order), key=lambda one: _metric(one[0])):
        yield f"# HELP {metric} {METRICS[metric].help}\n# TYPE {metric} {METRICS[metric].kind}\n"
        yield from _samples(series, values)


def _samples(series: Iterable[Series], values: Mapping[Series, float]) -> Iterator[str]:
    for name, labels in series:
        shown = ",".join(f'{label}="{value}"' for label, value in labels)
        yield f"{name}{f'{{{shown}}}' if shown else ''} {_number(values[name, labels])}\n"


def _metric(name: str) -> str:
    return next((one for one in (STAGE_SECONDS, ACKNOWLEDGED_SECONDS) if name.startswith(one)), name)


def _order(series: Series) -> tuple[str, Labels, str, float]:
    """Returns what sorts the buckets of a histogram by their bounds, before their sum and count."""
    name, labels = series
    bounds = [float(value) for label, value in labels if label == "le"]
    return _metric(name), tuple(one for one in labels if one[0] != "le"), name, bounds[0] if bounds else 0.0


def _number(value: float) -> str:
    return "+Inf" if value == float("inf") else f"{value:.15g}"
