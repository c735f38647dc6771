"""Tells somebody of a screening that is late: Airflow's deadline of a DAG, and what happens when it is missed.

Airflow's scheduler notes that a run has not succeeded in time, and its triggerer calls `tell`: no worker is needed,
because workers that hang or are gone are a likely reason.
"""

import asyncio
import logging
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference  # type: ignore[attr-defined]  # its stub is old

from wardround.errors import WardroundError
from wardround.settings import Settings, settings_from

TRIES: Final = 5
PAUSE: Final = timedelta(seconds=30)
"""How often, and how far apart, a receiver is tried that does not take the alarm."""
_NAME: Final = "screening is late"
_LOG = logging.getLogger(__name__)


def screening_deadline(settings: Settings, started_by: Sequence[str] = sys.argv) -> DeadlineAlert | None:
    """Returns the deadline of a screening's DAG; None without the setting, and in `airflow dags test`.

    There no scheduler would notice that it is missed, and Airflow 3.3 ends a run that succeeded with an error of its
    own if the DAG has a deadline.
    """
    if settings.screening_deadline is None or list(started_by[1:3]) == ["dags", "test"]:
        return None
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=settings.screening_deadline,
        callback=AsyncCallback(tell),
        name=_NAME,
    )


async def tell(context: Mapping[str, Any]) -> str:
    """Logs that a run is late, and sends it to the webhook for alarms if the stream's settings name one.

    Returns what was done, which Airflow keeps. Raises WardroundError if the receiver does not take it, or for settings
    that cannot be used; Airflow then keeps that nobody was told. Of what Airflow says about the run, only its DAG, its
    state and its time are told: its `conf` and its id may name a patient.
    """
    run = context["dag_run"]
    dag_id, text = str(run["dag_id"]), _in_words(run)
    _LOG.error("%s: %s", dag_id, text)
    settings = settings_from()
    if not settings.stream.is_file():
        return "logged; there are no settings of the stream, which name a webhook for alarms"
    for attempt in range(TRIES):
        if attempt:
            await asyncio.sleep(PAUSE.total_seconds())
        # Sending blocks, and other deadlines and deferred tasks of this process must not wait for it.
        told = await asyncio.to_thread(_sent, dag_id, text, datetime.now(UTC), settings)
        if told is None:
            return "logged; the settings of the stream name no webhook for alarms"
        if told:
            return "sent"
    raise WardroundError(
        f"{dag_id}: the webhook for alarms did not take the alarm in {TRIES} attempts; see whether it is up"
    )


def _in_words(run: Mapping[str, Any]) -> str:
    asked = f"the screening that was asked for at {run['queued_at']}"
    if run["state"] == "failed":
        return f"{asked} has failed; look at the run in Airflow, and clear what is red"
    return f"{asked} has not ended in time (it is {run['state']}); look at the run in Airflow: what does it wait for?"


def _sent(dag_id: str, text: str, now: datetime, settings: Settings) -> bool | None:
    """Returns whether the alarm arrived; None if there is no webhook."""
    from wardround.spec.loading import load_stream
    from wardround.stream.alarm_hook import opened_hook

    with opened_hook(load_stream(settings.stream), settings) as hook:
        return None if hook is None else hook.tell(f"late:{dag_id}", "raised", text, now, now)
