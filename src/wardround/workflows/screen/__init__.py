"""Screening: one function per Airflow task, all working on a run's folder.

`screen` runs them all in turn, `resume` those that are left:

open_run -> find_stays -> extract (each chunk) -> check_quality -> score (each chunk) -> publish (each chunk)
-> reconcile -> report -> require_complete. Arguments and results are small: run ids and chunk numbers.
"""

from wardround.workflows.report import report
from wardround.workflows.screen.check_quality import check_quality
from wardround.workflows.screen.extract import extract
from wardround.workflows.screen.find_stays import find_stays
from wardround.workflows.screen.publish import publish
from wardround.workflows.screen.reconcile import reconcile
from wardround.workflows.screen.request import ScreeningRequest, servers_in
from wardround.workflows.screen.require_complete import require_complete
from wardround.workflows.screen.run import load_run, open_run
from wardround.workflows.screen.score import score
from wardround.workflows.screen.screen import Means, resume, screen
from wardround.workflows.screen.suited import suited

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
