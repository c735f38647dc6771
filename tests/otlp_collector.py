"""An OpenTelemetry collector for tests: it takes OTLP over HTTP and notes every point."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from tests.loopback import Line, serving

CONTENT = "application/x-protobuf"
Labels = dict[str, str]


@dataclass
class Collector:
    """What arrived at the base URL, and the status with which the next requests are answered."""

    url: str = ""
    status: int = 200
    requests: list[ExportMetricsServiceRequest] = field(default_factory=list)

    def take(self, line: Line) -> None:
        assert (line.command, line.path) == ("POST", "/v1/metrics")
        self.requests.append(ExportMetricsServiceRequest.FromString(line.body))
        line.say(ExportMetricsServiceResponse().SerializeToString(), self.status, CONTENT)

    @property
    def points(self) -> list[tuple[str, Labels, float]]:
        """Returns name, labels and value of every point, in the order of arrival."""
        return [
            (metric.name, {one.key: one.value.string_value for one in point.attributes}, point.as_double)
            for request in self.requests
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.gauge.data_points
        ]

    def of(self, name: str) -> list[tuple[Labels, float]]:
        """Returns labels and value of the points of a gauge."""
        return [(labels, value) for one, labels, value in self.points if one == name]


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()
    with serving(collector.take) as url:
        collector.url = url.removesuffix("/fhir")
        yield collector
