"""Runs the steps of the stream's upkeep as tasks: calls them with the settings, the queue and a source's server."""

import logging
from datetime import UTC, datetime
from typing import Any

from wardround.adapters.database.database import opened
from wardround.adapters.queue.queue import Queue
from wardround.airflow.forms import run_time
from wardround.airflow.hook import FhirHook
from wardround.fhir.configured import endpoint_of
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.source_settings import SourceSettings
from wardround.settings import Settings, settings_from
from wardround.spec.loading import load_stream
from wardround.stream import upkeep

_LOG = logging.getLogger(__name__)


def find_sources() -> list[str]:
    """Returns the names of the stream's sources. Raises SpecError for settings that cannot be used."""
    return list(load_stream(settings_from().stream).sources)


def reconcile(name: str, dag_run: Any) -> dict[str, Any]:
    """Compares a source with its server, and screens who was not announced; returns counts and runs by condition."""
    settings = settings_from()
    source = load_stream(settings.stream).sources[name]
    server, as_of = _server(source.fhir, settings), run_time(dag_run)
    said = {}
    with opened(settings.database) as database:
        key = f"{dag_run.run_id}/{name}"
        for one in upkeep.reconcile(upkeep.Feeding(name, source, server), Queue(database), as_of, key, settings):
            said[one.condition] = {**one.compared.counts, "run": one.run}
            _LOG.info("%s, %s: %s", name, one.condition, said[one.condition])
    return said


def prune() -> dict[str, int]:
    """Removes what is older than the settings keep; returns counts."""
    settings = settings_from()
    with opened(settings.database) as database:
        return upkeep.prune(Queue(database), load_stream(settings.stream).keep, datetime.now(UTC))


def drain_report() -> dict[str, Any]:
    """Returns what waits and what became of the last hour's messages. Raises RunIncomplete if a backlog is too old."""
    with opened(settings_from().database) as database:
        report = upkeep.drain_report(Queue(database), datetime.now(UTC))
    for stage, said in report.items():
        _LOG.info("%s: %s", stage, said)
    upkeep.require_drained(report)
    return report


def keep_series(dag_run: Any) -> str:
    """Writes the last full hour before the run's time to the history; returns its name there."""
    with opened(settings_from().database) as database:
        return upkeep.keep_series(Queue(database), run_time(dag_run), datetime.now(UTC))


def _server(place: str, settings: Settings) -> FhirEndpoint:
    """Returns the server of a base URL, or the one that a connection names."""
    if "://" not in place:
        return FhirHook(place).source()
    asked = SourceSettings(base_url=place, icu_classes=settings.icu_classes, icu_locations=settings.icu_locations)
    return endpoint_of(asked, None, settings.schemas)
