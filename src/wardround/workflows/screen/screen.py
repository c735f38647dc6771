"""Runs all steps of a screening, or those left of one, in one process: what the DAG does, without Airflow."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import takewhile
from math import ceil
from queue import LifoQueue
from threading import Event, Lock
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

Gate = Callable[[str, Settings], None]
T = TypeVar("T")

# The number of chunks read at once is limited so that one page of each holds no more than this, which keeps the process
# below 400 MiB: one page is parsed while the server makes the next.
RESOURCES_AT_ONCE: Final = 10_000


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
        steps = _Steps(progress, shared.end)
        if not opened.found:
            steps.once("find_stays", lambda: clients.lend(lambda client: find_stays(run, client, settings, progress)))
        chunks = opened.chunks()
        clients.lend(lambda client: look_again(opened, client))
        unread = opened.unread()
        reading = _read_at_once(source, opened.stays_per_chunk)
        fetch = clients.each(lambda n, client: extract(run, n, client, settings))
        steps.each("extract", unread, len(unread), fetch, reading)
        try:
            steps.once("check_quality", lambda: means.gate(run, settings))
        except QualityError:
            report(run, settings)
            raise
        # As in the DAG, a chunk is written while others are scored.
        scored = steps.in_turn("score", chunks, lambda n: score(run, n, settings))
        write = clients.each(lambda n, client: publish(run, n, client, settings))
        steps.each("publish", scored, len(chunks), write, source.threads)
        summary = steps.once("reconcile", lambda: clients.lend(lambda client: reconcile(run, client, settings)))
        steps.once("report", lambda: report(run, settings))
    return summary


def _read_at_once(source: FhirEndpoint, stays_per_chunk: int) -> int:
    """Returns how many chunks to read at once: each makes some searches, together no more than the source can take."""
    searches = min(source.threads, ceil(stays_per_chunk / source.patients_per_search))
    return max(1, min(source.threads // searches, RESOURCES_AT_ONCE // source.page_size))


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


class _Steps:
    """Runs steps and reports their progress.

    Args:
        end: called on an interruption, so that no thread goes on waiting for a server that is down.
    """

    def __init__(self, progress: Progress, end: Callable[[], None]) -> None:
        self._progress = progress
        self._end = end

    def once(self, step: str, work: Callable[[], T]) -> T:
        self._progress(step, 0, 1)
        result = work()
        self._progress(step, 1, 1)
        return result

    def in_turn(self, step: str, chunks: Sequence[int], work: Callable[[int], None]) -> Iterator[int]:
        """Yields the chunks one after another, working on each when it is requested."""
        self._progress(step, 0, len(chunks))
        for done, chunk in enumerate(chunks, start=1):
            work(chunk)
            self._progress(step, done, len(chunks))
            yield chunk

    def each(self, step: str, chunks: Iterable[int], total: int, work: Callable[[int], None], threads: int) -> None:
        """Works on chunks as they come, `threads` at a time; the first error ends it once those under way end."""
        done, counting, failed = 0, Lock(), Event()
        self._progress(step, 0, total)

        def counted(chunk: int) -> None:
            nonlocal done
            if failed.is_set():
                return
            try:
                work(chunk)
            except BaseException:
                # At once, not when its turn among the results comes: chunks may still be coming.
                failed.set()
                raise
            with counting:
                done += 1
                self._progress(step, done, total)

        pool = ThreadPoolExecutor(threads)
        under_way: deque[Future[None]] = deque()
        try:
            for chunk in takewhile(lambda _: not failed.is_set(), chunks):
                under_way.append(pool.submit(counted, chunk))
            while under_way:
                under_way.popleft().result()
        except KeyboardInterrupt:
            self._end()
            raise
        finally:
            failed.set()
            pool.shutdown(cancel_futures=True)
            # Their errors hold this frame, so connections would stay open until garbage collection.
            under_way.clear()
