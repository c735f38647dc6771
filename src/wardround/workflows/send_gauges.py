"""Sends the figures of a run that was reconciled to those who watch the installation, if a collector is set."""

import logging
from typing import Final

from wardround.adapters import otlp
from wardround.adapters.files.run_folder import RunFolder
from wardround.adapters.files.stored_request_file import read_request
from wardround.core import run_files
from wardround.core.run_summary import RunSummary
from wardround.core.stored_request import StoredScreening
from wardround.errors import named
from wardround.report.gauges import GAUGES, gauges_of
from wardround.settings import Settings
from wardround.workflows.run_list import overview_of

_OF_STAYS: Final = ["unit", "outcome", "band"]

_LOG = logging.getLogger(__name__)


def send_gauges(run: str, settings: Settings) -> None:
    """Sends the run's gauges, within a few seconds. What goes wrong is logged, and costs the run nothing.

    Nothing is sent of a run of patients requested by id, who are no ward and may be one person.
    """
    if settings.collector is None:
        return
    try:
        why = _why_not_sent(run, settings, settings.collector)
    except Exception as error:  # noqa: BLE001 - what is watched must not cost a ward tonight's report
        why = named(error)
    if why:
        _LOG.warning("run %s: its figures are missing at the collector: %s", run, why)


def _why_not_sent(run: str, settings: Settings, collector: str) -> str:
    folder = RunFolder.existing(settings.runs, run)
    summary = RunSummary.model_validate(folder.read_json(run_files.SUMMARY))
    if summary.cohort == "patients":
        return ""
    gauges = gauges_of(
        overview_of(run, settings),
        read_request(folder, StoredScreening).source_name,
        summary,
        folder.read_frame(run_files.LEDGER, _OF_STAYS),
        folder.read_json(run_files.SET_ASIDE),
    )
    points = [
        otlp.Point(one.name, GAUGES[one.name].unit, GAUGES[one.name].says, one.labels, one.value) for one in gauges
    ]
    return otlp.why_not_sent(points, collector)
