"""Finds the stays that no message announced, and screens them, so that a lost message costs an hour and no more."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import pandas as pd

from wardround.adapters.database.visits import census_of
from wardround.adapters.files.run_folder import run_id
from wardround.adapters.queue.queue import Queue
from wardround.adt.census import census
from wardround.adt.feed import feed_of
from wardround.errors import ConditionSuspended
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.spec.cohorts import CohortSource
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_conditions
from wardround.spec.stream import StreamSource
from wardround.stream.upkeep.compare import Compared, compare
from wardround.workflows.screen import Means, ScreeningRequest, require_complete, screen, servers_in

SUSPENDED: Final = "suspended"


class Feeding(NamedTuple):
    """A source of the stream, and the FHIR server with the record of its patients."""

    name: str
    source: StreamSource
    server: FhirEndpoint


@dataclass(frozen=True)
class Reconciled:
    """What became of a source and a condition: how both sides differ, and the run that screened who was not announced.

    `run` is "" if nobody had to be screened, and SUSPENDED if the condition is.
    """

    condition: str
    compared: Compared
    run: str


def reconcile(feeding: Feeding, queue: Queue, as_of: datetime, key: str, settings: Settings) -> Iterator[Reconciled]:
    """Yields what became of each condition that has a branch. Raises WardroundError.

    A run is named after `as_of` and `key`: the same again does the same run again, and changes nothing.
    """
    with queue.database.reading() as connection:
        known = census_of(connection, queue.run, feeding.name)
    lying = census(known, feed_of(feeding.name, feeding.source))
    for condition in load_conditions(settings.schemas).values():
        if condition.stream.branches:
            with FhirClient(feeding.server) as client:
                compared = compare(client, lying, condition, as_of)
            run = _screened(condition, compared, feeding.server, as_of, key, settings)
            yield Reconciled(condition.id, compared, run)


def _screened(
    condition: Condition, compared: Compared, server: FhirEndpoint, as_of: datetime, key: str, settings: Settings
) -> str:
    if not compared.unannounced:
        return ""
    tells = any(branch.mode == "live" for branch in condition.stream.branches)
    request = ScreeningRequest(
        condition=condition.id,
        **servers_in(server),
        as_of=as_of,
        cohort=CohortSource(kind="patients", patients=compared.unannounced),
        mode=None if tells else "shadow",
        accept_census=True,
        run=run_id(condition.id, pd.Timestamp(as_of), key),
    )
    try:
        summary = screen(request, Means(server, settings, _silent))
    except ConditionSuspended:
        return SUSPENDED
    require_complete(summary.run, settings)
    return summary.run


def _silent(_step: str, _done: int, _total: int) -> None:
    """Says nothing: the log of the run has it."""
