"""Runs the steps of a screening as tasks: calls the workflow with the DAG run's Params, a chunk and a FHIR client."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pandas as pd
from airflow.sdk.exceptions import AirflowRescheduleException

from wardround.adapters.files.run_folder import RunFolder, run_id
from wardround.airflow.forms import prediction_time, screening_mode, waiting_time
from wardround.airflow.hook import FhirHook
from wardround.airflow.sharing import MARK, mark_of
from wardround.airflow.sources import run_key
from wardround.core import run_files
from wardround.core.run_summary import RunSummary
from wardround.errors import FhirUnreachable
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.fhir.patience import Patience
from wardround.settings import settings_from
from wardround.workflows import screen
from wardround.workflows.screen import ScreeningRequest, servers_in

_LOG = logging.getLogger(__name__)

Params = Mapping[str, Any]

LOOK_AGAIN: Final = timedelta(minutes=1)
"""How long a task that waits for its source gives up its slot before it tries again."""

NOBODY: Final = 0
"""The only chunk of an empty ward: with no chunk to map over, Airflow would skip the report as well."""


def find_stays(condition_id: str, params: Params, dag_run: Any, ti: Any) -> list[int]:
    """Opens the run and returns its chunk numbers. A cleared DAG run opens the same run again.

    The tasks after it find the run's id and its mark (`sharing`) in XCom.
    """
    settings = settings_from()
    source = FhirHook(params["connection"]).source()
    run = screen.open_run(_request(condition_id, params, dag_run, source), settings, source.translation)
    with _client(run, params, dag_run) as client:
        chunks = screen.find_stays(run, client, settings, _log_progress) or [NOBODY]
    ti.xcom_push("run", run)
    ti.xcom_push(MARK, mark_of(run, condition_id))
    return chunks


def extract(run: str, chunk: int, params: Params, dag_run: Any) -> None:
    if chunk == NOBODY:
        return
    with _client(run, params, dag_run) as client:
        screen.extract(run, chunk, client, settings_from())


def score(run: str, chunk: int) -> None:
    if chunk != NOBODY:
        screen.score(run, chunk, settings_from())


def publish(run: str, chunk: int, params: Params, dag_run: Any) -> None:
    if chunk == NOBODY:
        return
    with _client(run, params, dag_run) as client:
        screen.publish(run, chunk, client, settings_from())


def reconcile(run: str, params: Params, dag_run: Any) -> dict[str, Any]:
    """Reconciles the run, and returns the extra of the Asset's event: the run's mode, and how much is written."""
    with _client(run, params, dag_run) as client:
        summary = screen.reconcile(run, client, settings_from())
    return {"mode": summary.mode, "written": summary.written}


def report(run: str) -> str:
    return screen.report(run, settings_from())


def counts(run: str) -> dict[str, int]:
    """Returns how many stays ended in which way, and how many members of the cohort have no stay.

    Whoever started the DAG run reads this in XCom. Counts of members without a stay are included if they are not 0.
    """
    folder = RunFolder.existing(settings_from().runs, run)
    summary = RunSummary.model_validate(folder.read_json_or(run_files.SUMMARY, {}))
    return {**summary.counts, **summary.left_out}


def require_complete(run: str) -> None:
    screen.require_complete(run, settings_from())


@contextmanager
def _client(run: str, params: Params, dag_run: Any) -> Iterator[FhirClient]:
    """Yields a client for the run's source and for the server that takes its results.

    Raises AirflowRescheduleException while either is down and the run may still wait: the task gives up its slot, and
    Airflow starts it again later without counting a retry.
    """
    source = FhirHook(params["connection"]).source()
    patience = Patience(source.retries)
    try:
        with FhirClient(screen.suited(run, source, settings_from(), patience=patience), patience=patience) as client:
            yield client
    except FhirUnreachable:
        now = datetime.now(UTC)
        left = waiting_time(params, dag_run, now)
        if not left or not _is_down(source):
            raise
        _LOG.warning("run %s: the FHIR server is down; trying again later", run)
        raise AirflowRescheduleException(now + min(LOOK_AGAIN, left)) from None


def _is_down(source: FhirEndpoint) -> bool:
    with FhirClient(source) as client:
        return client.is_down()


def _log_progress(step: str, done: int, total: int) -> None:
    _LOG.info("%s: %d of %d", step, done, total)


def _request(condition_id: str, params: Params, dag_run: Any, source: FhirEndpoint) -> ScreeningRequest:
    as_of = prediction_time(params, dag_run, datetime.now(UTC))
    return ScreeningRequest(
        condition=condition_id,
        **servers_in(source),
        as_of=as_of,
        look_back=params["look_back"],
        cohort=params["cohort"],
        chunk_size=params["chunk_size"],
        mode=screening_mode(params, dag_run),
        accept_census=params["accept_census"],
        run=run_id(condition_id, pd.Timestamp(as_of), run_key(dag_run.dag_id, dag_run.run_id)),
    )
