"""Whose turn it is to write what a run has to say: runs of one question do so one after the other."""

from contextlib import AbstractContextManager
from pathlib import Path

from wardround.adapters.files import turns
from wardround.adapters.files.run_folder import locks_in
from wardround.fhir.client import FhirClient
from wardround.results.risk_assessment import identity
from wardround.settings import Settings
from wardround.workflows.screen.run import Run


def turn_of(opened: Run, client: FhirClient, settings: Settings, work: str = "screen") -> AbstractContextManager[None]:
    """Held while something is written that another run of the same source, condition, model and as_of may write too.

    The chunks of a run write side by side; other `work` of the run waits for them, and they for it.
    """
    # What the identifiers of all its results have in common.
    question = identity(opened.screening(settings), "")
    return turns.turn(locks(settings), client.source.base_url, [question], f"{opened.id}-{work}")


def locks(settings: Settings) -> Path:
    """The folder of the locks, which all who share the runs share where that can be."""
    return locks_in(settings.runs, otherwise=settings.var / "locks")
