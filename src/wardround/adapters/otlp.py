"""Sends gauges once to an OpenTelemetry collector, by OTLP over HTTP, from a process that may end right after.

Nothing is kept for later, and no provider is shared: Airflow has its own in the same process. Headers, certificates and
compression are OpenTelemetry's own variables (`OTEL_EXPORTER_OTLP_HEADERS`, …), which its exporter reads.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from wardround.errors import named

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData

SERVICE: Final = "wardround"
SECONDS: Final = 5.0
"""How long sending may take in all. The exporter's own limit ends neither an answer that trickles in nor a slow look-up
of a name, so that it is waited for from outside."""
_METRICS: Final = "/v1/metrics"


class Point(NamedTuple):
    """One value of a gauge, with the gauge's unit and description."""

    name: str
    unit: str
    description: str
    labels: Mapping[str, str]
    value: float


def why_not_sent(points: Sequence[Point], endpoint: str) -> str:
    """Sends the points, ordered by name, to the collector at this base URL; returns "", or why it did not take them.

    A collector that is down, hangs or refuses takes at most SECONDS, and raises nothing.
    """
    ended: list[str] = []
    data = _data(points)
    # A daemon: a process that ends does not wait for it.
    sending = threading.Thread(target=_send, args=(data, endpoint, ended), daemon=True, name="otlp")
    sending.start()
    sending.join(SECONDS)
    return ended[0] if ended else f"no answer within {SECONDS:g} s"


def _send(data: "MetricsData", endpoint: str, ended: list[str]) -> None:
    """Adds the outcome to `ended`."""
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics.export import MetricExportResult

        exporter = OTLPMetricExporter(endpoint=endpoint + _METRICS, timeout=SECONDS)
        taken = exporter.export(data) is MetricExportResult.SUCCESS
        exporter.shutdown()
        ended.append("" if taken else "the collector cannot be reached, or refused them")
    except Exception as error:  # noqa: BLE001 - such as for a variable of OpenTelemetry with a wrong value
        ended.append(named(error))


def _data(points: Sequence[Point]) -> "MetricsData":
    """Returns the points as the exporter takes them.

    The resource names the service and nothing else: OpenTelemetry would add what the environment says, in Kubernetes
    the name of the pod, and so that of the task.
    """
    from opentelemetry.sdk.metrics.export import (
        Gauge,
        Metric,
        MetricsData,
        NumberDataPoint,
        ResourceMetrics,
        ScopeMetrics,
    )
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    now = time.time_ns()
    metrics = []
    for (name, description, unit), some in groupby(points, key=attrgetter("name", "description", "unit")):
        values = [NumberDataPoint(dict(one.labels), 0, now, one.value) for one in some]
        metrics.append(Metric(name, description, unit, Gauge(values)))
    scope = ScopeMetrics(InstrumentationScope(SERVICE), metrics, "")
    return MetricsData([ResourceMetrics(Resource({"service.name": SERVICE}), [scope], "")])
