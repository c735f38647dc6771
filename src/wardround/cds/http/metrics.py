"""Counts for Prometheus, summed over all workers. No label comes from a request or a patient.

Every worker writes its counts into a file of one folder; whoever is asked adds those of the others. So no scrape
depends on which worker answers it, and a worker that was replaced still counts. (prometheus_client does the same with
a memory-mapped file for each process; it is not in the lock.)
"""

import json
import os
import secrets
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from wardround.adapters.prometheus import Metric, Series, bucket_bound, exposition
from wardround.cds.exchange import Became, Heard

_CALL_SECONDS: Final = "wardround_cds_call_seconds"
METRICS: Final = {
    "wardround_cds_requests_total": Metric("counter", "Requests, by kind and status of HTTP."),
    "wardround_cds_calls_total": Metric("counter", "Calls of a service that reached the door, by what became of them."),
    _CALL_SECONDS: Metric("histogram", "Seconds from the arrival of a call to its answer."),
    "wardround_cds_refused_tokens_total": Metric("counter", "Requests without an accepted token, by reason."),
    "wardround_cds_audit_failures_total": Metric("counter", "Audit records that could not be written."),
    "wardround_cds_unkept_total": Metric("counter", "Calls that were answered, and of which the database has nothing."),
    "wardround_cds_results_total": Metric(
        "counter", "Scores that were to be written to the record, by what became of them."
    ),
    "wardround_cds_feedback_total": Metric("counter", "Feedback that was kept, by whether its card is known."),
}
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, float("inf"))
_BOUNDS: Final = tuple((bound, bucket_bound(bound)) for bound in _BUCKETS)
_SUFFIX: Final = ".json"


class Metrics:
    """The counts of one worker, and those of the others in the same folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = folder / f"{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
        self._lock = threading.Lock()
        self._counts: dict[Series, float] = defaultdict(float)
        self._changed = False

    def request(self, kind: str, status: int) -> None:
        """Counts a request that was answered."""
        self._add("wardround_cds_requests_total", 1, kind=kind, status=str(status))

    def call(self, service: str, outcome: str, band: str, seconds: float) -> None:
        """Counts a call of a service."""
        self._add("wardround_cds_calls_total", 1, service=service, outcome=outcome, band=band)
        with self._lock:
            for bound, text in _BOUNDS:
                self._counts[f"{_CALL_SECONDS}_bucket", (("service", service), ("le", text))] += seconds <= bound
        self._add(f"{_CALL_SECONDS}_sum", seconds, service=service)
        self._add(f"{_CALL_SECONDS}_count", 1, service=service)

    def refused_token(self, reason: str) -> None:
        """Counts a request without an accepted token."""
        self._add("wardround_cds_refused_tokens_total", 1, reason=reason)

    def audit_failure(self) -> None:
        """Counts an audit record that could not be written."""
        self._add("wardround_cds_audit_failures_total", 1)

    def unkept(self) -> None:
        """Counts a call that was answered without the database."""
        self._add("wardround_cds_unkept_total", 1)

    def result(self, became: Became) -> None:
        """Counts a score that was to be written to the record."""
        self._add("wardround_cds_results_total", 1, became=became)

    def heard(self, heard: Heard) -> None:
        """Counts feedback."""
        for card, count in (("known", heard.known), ("unknown", heard.unknown)):
            if count:
                self._add("wardround_cds_feedback_total", count, card=card)

    def keep(self) -> None:
        """Writes the counts for the other workers, if there are new ones."""
        with self._lock:
            if not self._changed:
                return
            content = json.dumps([[name, labels, count] for (name, labels), count in self._counts.items()])
            self._changed = False
        unfinished = self._own.with_suffix(".part")
        # Not flushed to disk: the counts begin at zero when the service does.
        unfinished.write_text(content)
        unfinished.replace(self._own)

    def text(self) -> str:
        """Returns the sums over all workers in Prometheus' text format. What it says once, it does not take back."""
        self.keep()
        with self._lock:
            sums = defaultdict(float, self._counts)
        for series, count in self._others():
            sums[series] += count
        return exposition(sums, METRICS)

    def _add(self, name: str, count: float, **labels: str) -> None:
        with self._lock:
            self._counts[name, tuple(labels.items())] += count
            self._changed = True

    def _others(self) -> Iterator[tuple[Series, float]]:
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            if path == self._own:
                continue
            with suppress(FileNotFoundError):
                for name, labels, count in json.loads(path.read_text()):
                    yield (name, tuple((label, value) for label, value in labels)), count
