"""Screening: one function per Airflow task, over a run's folder; `screen` is all in turn, `resume` those left.

open_run -> find_stays -> extract (each chunk) -> check_quality -> score (each chunk) -> publish (each chunk)
-> reconcile -> report -> require_complete. Arguments and results are small: run ids and chunk numbers.
"""

from wardround.workflows.report import report
from wardround.workflows.screening.check_quality import check_quality
from wardround.workflows.screening.extract import extract
from wardround.workflows.screening.find_stays import find_stays
from wardround.workflows.screening.publish import publish
from wardround.workflows.screening.reconcile import reconcile
from wardround.workflows.screening.request import ScreeningRequest, servers_in
from wardround.workflows.screening.require_complete import require_complete
from wardround.workflows.screening.run import load_run, open_run
from wardround.workflows.screening.score import score
from wardround.workflows.screening.screen import Means, resume, screen
from wardround.workflows.screening.suited import suited

__all__ = [
    "Means",
    "ScreeningRequest",
    "check_quality",
    "extract",
    "find_stays",
    "load_run",
    "open_run",
    "publish",
    "reconcile",
    "report",
    "require_complete",
    "resume",
    "score",
    "screen",
    "servers_in",
    "suited",
]
