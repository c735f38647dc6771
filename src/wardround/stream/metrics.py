"""Counts of one process of the stream, in Prometheus' text format. No label comes from a message or a patient."""

import threading
from collections import defaultdict
from typing import Final

from wardround.adapters.prometheus import Metric, Series, bucket_bound, exposition

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


METRICS: Final = {
    FINISHED: Metric("counter", "Messages that a stage has handled, by what became of them."),
    STAGE_SECONDS: Metric("histogram", "Seconds from taking a message to its end or its next waiting."),
    LOST_LEASES: Metric("counter", "Messages that were handled too slowly, and that another process had taken."),
    WORKS: Metric("gauge", "1 if the stage has what it needs, 0 if it waits for that."),
    OPEN: Metric("gauge", "Open messages of a stage: waiting, or being handled."),
    OLDEST: Metric("gauge", "Seconds since the oldest open message of a stage was due."),
    DEAD_LETTERS: Metric("gauge", "Dead letters that nobody has dealt with."),
    RECEIVED: Metric("counter", "Messages received, by source and by whether they are new, repeated or refused."),
    ACKNOWLEDGED: Metric("counter", "Acknowledgements sent, by source and code."),
    ACKNOWLEDGED_SECONDS: Metric("histogram", "Seconds from the last byte of a message to its acknowledgement."),
    CONNECTIONS: Metric("gauge", "Connections that are open, by source."),
}
_BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1200.0)
_BOUNDS: Final = tuple((bound, bucket_bound(bound)) for bound in (*_BUCKETS, float("inf")))


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
            for bound, text in _BOUNDS:
                self._values[f"{name}_bucket", (*given, ("le", text))] += seconds <= bound
            self._values[f"{name}_sum", given] += seconds
            self._values[f"{name}_count", given] += 1

    def text(self) -> str:
        """Returns all in Prometheus' text format."""
        with self._lock:
            values = dict(self._values)
        return exposition(values, METRICS)
