"""Makes runs of one question take turns at writing their results."""

from contextlib import AbstractContextManager
from pathlib import Path

from wardround.adapters.files import turns
from wardround.adapters.files.run_folder import locks_in
from wardround.fhir.client import FhirClient
from wardround.results.risk_assessment import identity
from wardround.settings import Settings
from wardround.workflows.screen.run import Run


def turn_of(opened: Run, client: FhirClient, settings: Settings, work: str = "screen") -> AbstractContextManager[None]:
    """Holds the turn while something is written that another run of the same question may write too.

    Runs share a question if source, condition, model and as_of are the same.

    The chunks of a run are written side by side; other `work` of the run waits for them, and they wait for it.
    """
    # The part that the identifiers of all its results have in common.
    question = identity(opened.screening(settings), "")
    return turns.turn(locks(settings), client.source.base_url, [question], f"{opened.id}-{work}")


def locks(settings: Settings) -> Path:
    """Returns the folder of the locks, shared by all who share the runs wherever that is possible."""
    return locks_in(settings.runs, otherwise=settings.var / "locks")
