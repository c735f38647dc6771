"""Runs all steps of a screening, or those left of one, in one process: what the DAG does, without Airflow."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from math import ceil
from queue import LifoQueue
from typing import Final, TypeVar

from requests.adapters import BaseAdapter

from wardround.core.progress import Progress
from wardround.core.run_summary import RunSummary
from wardround.errors import ConditionSuspended, QualityError
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.patience import Patience
from wardround.settings import Settings
from wardround.workflows.report import report
from wardround.workflows.screen.check_quality import check_quality
from wardround.workflows.screen.extract import extract
from wardround.workflows.screen.find_stays import find_stays
from wardround.workflows.screen.people_again import look_again
from wardround.workflows.screen.publish import publish
from wardround.workflows.screen.reconcile import reconcile
from wardround.workflows.screen.request import ScreeningRequest
from wardround.workflows.screen.run import Run, load_run, open_run, require_active
from wardround.workflows.screen.score import score
from wardround.workflows.screen.suited import suited
from wardround.workflows.step_loop import Steps

Gate = Callable[[str, Settings], None]
T = TypeVar("T")

# The number of chunks read at once is limited so that one page of each holds no more than this, which keeps the process
# below 400 MiB: one page is parsed while the server makes the next.
_RESOURCES_AT_ONCE: Final = 10_000


@dataclass(frozen=True)
class Means:
    """The settings and connections for a screening.

    Attributes:
        source: the server to read from, which is also, or names, the server to write to.
        progress: called with the progress of each step.
        transport: replaces real HTTP, if given.
        patience: how long to put up with a server; by default the source's retries, without waiting.
        gate: `check_quality`, or a `GateProcess` that does the same, with its libraries loaded beside the other steps.
        opened: called with the run's name once there is a run that can be resumed.
    """

    source: FhirEndpoint
    settings: Settings
    progress: Progress
    transport: BaseAdapter | None = None
    patience: Patience | None = None
    gate: Gate = check_quality
    opened: Callable[[str], None] = field(default=lambda _run: None)


def screen(request: ScreeningRequest, means: Means) -> RunSummary:
    """Screens and reports; returns the run's summary, which `require_complete` judges. Raises any WardroundError."""
    run = open_run(request, means.settings, means.source.translation)
    means.opened(run)
    return _go_through(load_run(run, means.settings), means)


def resume(run: str, means: Means) -> RunSummary:
    """Does what is left of a run that failed or was killed, with its as_of and model; returns its summary.

    Stays that were found, and chunks that were read whole and whose rows passed the suite, are not read again. Scored
    chunks are scored again from the same files, and what was written is found on the server and left alone. Raises
    RunNotFound and any WardroundError.
    """
    return _go_through(load_run(run, means.settings), means)


def _go_through(opened: Run, means: Means) -> RunSummary:
    """Runs the steps. If the condition is switched off meanwhile, it goes to the report, of whatever there is."""
    try:
        require_active(opened, means.settings)
        return _all_steps(opened, means)
    except ConditionSuspended:
        report(opened.id, means.settings)
        raise


def _all_steps(opened: Run, means: Means) -> RunSummary:
    run, settings, transport, progress = opened.id, means.settings, means.transport, means.progress
    shared = means.patience or Patience(means.source.retries)
    source = suited(run, means.source, settings, transport, shared)
    with ExitStack() as stack:
        clients = _Clients([stack.enter_context(FhirClient(source, transport, shared)) for _ in range(source.threads)])
        steps = Steps(progress, shared.end)
        steps.unless(
            opened.found,
            "find_stays",
            lambda: clients.lend(lambda client: find_stays(run, client, settings, progress)),
        )
        chunks = opened.chunks()
        clients.lend(lambda client: look_again(opened, client))
        reading = _read_at_once(source, opened.stays_per_chunk)
        fetch = clients.each(lambda n, client: extract(run, n, client, settings))
        steps.at_once("extract", chunks, len(chunks), fetch, reading, opened.chunks_read().__contains__)
        try:
            steps.run("check_quality", lambda: means.gate(run, settings))
        except QualityError:
            report(run, settings)
            raise
        # As in the DAG, a chunk is written while others are scored.
        scored = steps.as_requested("score", chunks, lambda n: score(run, n, settings))
        write = clients.each(lambda n, client: publish(run, n, client, settings))
        steps.at_once("publish", scored, len(chunks), write, source.threads)
        summary = steps.run("reconcile", lambda: clients.lend(lambda client: reconcile(run, client, settings)))
        steps.run("report", lambda: report(run, settings))
    return summary


def _read_at_once(source: FhirEndpoint, stays_per_chunk: int) -> int:
    """Returns how many chunks to read at once: each makes some searches, together no more than the source can take."""
    searches = min(source.threads, ceil(stays_per_chunk / source.patients_per_search))
    return max(1, min(source.threads // searches, _RESOURCES_AT_ONCE // source.page_size))


class _Clients:
    """One client per thread, so that each chunk's requests can be counted; connections last from step to step."""

    def __init__(self, clients: Iterable[FhirClient]) -> None:
        self._idle: LifoQueue[FhirClient] = LifoQueue()
        for client in clients:
            self._idle.put(client)

    def lend(self, work: Callable[[FhirClient], T]) -> T:
        client = self._idle.get()
        try:
            return work(client)
        finally:
            self._idle.put(client)

    def each(self, work: Callable[[int, FhirClient], None]) -> Callable[[int], None]:
        return lambda chunk: self.lend(lambda client: work(chunk, client))
