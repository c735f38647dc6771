"""All steps of a screening in turn, in one process: what the DAG does without Airflow."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from requests.adapters import BaseAdapter

from wardround.adapters.fhir_client import FhirClient
from wardround.adapters.fhir_source import FhirSource
from wardround.errors import QualityError
from wardround.settings import Settings
from wardround.workflows.report import report
from wardround.workflows.screening.check_quality import check_quality
from wardround.workflows.screening.extract import extract
from wardround.workflows.screening.find_stays import find_stays
from wardround.workflows.screening.publish import publish
from wardround.workflows.screening.reconcile import reconcile
from wardround.workflows.screening.request import ScreeningRequest
from wardround.workflows.screening.run import open_run
from wardround.workflows.screening.score import score

Progress = Callable[[str, int, int], None]  # step, units done, units in all


def screen(
    request: ScreeningRequest,
    source: FhirSource,
    settings: Settings,
    progress: Progress,
    transport: BaseAdapter | None = None,
) -> dict[str, Any]:
    """Screens and reports; gives the run's summary, which `require_complete` judges. Raises any WardroundError."""
    run = open_run(request, settings)
    with FhirClient(source, transport) as client:
        progress("find_stays", 0, 1)
        chunks = find_stays(run, client, settings)
        progress("find_stays", 1, 1)
        _each("extract", chunks, lambda chunk: extract(run, chunk, client, settings), progress, source.threads)
        progress("check_quality", 0, 1)
        try:
            check_quality(run, settings)
        except QualityError:
            report(run, settings)
            raise
        progress("check_quality", 1, 1)
        _each("score", chunks, lambda chunk: score(run, chunk, settings), progress, threads=1)
        _each("publish", chunks, lambda chunk: publish(run, chunk, client, settings), progress, source.threads)
        progress("reconcile", 0, 1)
        summary = reconcile(run, client, settings)
        progress("reconcile", 1, 1)
    progress("report", 0, 1)
    report(run, settings)
    progress("report", 1, 1)
    return summary


def _each(step: str, chunks: Iterable[int], work: Callable[[int], None], progress: Progress, threads: int) -> None:
    """Does the work for every chunk, `threads` at a time; the first error ends it, when those under way have ended."""
    numbers = list(chunks)
    progress(step, 0, len(numbers))
    pool = ThreadPoolExecutor(threads)
    try:
        for done, _ in enumerate(pool.map(work, numbers), start=1):
            progress(step, done, len(numbers))
    finally:
        pool.shutdown(cancel_futures=True)
