"""Makes runs of one question take turns at writing their results."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from wardround.adapters import locks
from wardround.adapters.locks import Locks
from wardround.fhir.client import FhirClient
from wardround.results.risk_assessment import identity
from wardround.settings import Settings
from wardround.workflows.screen.run import Run


@contextmanager
def turn_of(opened: Run, client: FhirClient, settings: Settings, work: str = "screen") -> Iterator[None]:
    """Holds the turn while something is written that another run of the same question may write too.

    Runs share a question if source, condition, model and as_of are the same.

    The chunks of a run are written side by side; other `work` of the run waits for them, and they wait for it. If the
    turn is lost meanwhile, nothing more is sent. Raises StorageError or DatabaseError.
    """
    # The part that the identifiers of all its results have in common.
    question = identity(opened.screening(settings), "")
    turn = _locks(settings).turn(client.source.base_url, [question], f"{opened.id}-{work}")
    with turn as require, client.sending_while(require):
        yield


@contextmanager
def alone(client: FhirClient, what: Sequence[str], settings: Settings) -> Iterator[None]:
    """Waits until nobody else writes `what` to the client's server; makes all others wait. Otherwise as `turn_of`."""
    turn = locks.alone(_locks(settings), client.source.base_url, what)
    with turn as require, client.sending_while(require):
        yield


def _locks(settings: Settings) -> Locks:
    """Returns the locks of all who share the runs."""
    return locks.locks_for(settings.runs, settings.database)
