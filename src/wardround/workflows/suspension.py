"""Switches a condition off and on again, with the name and reason of the person who decides."""

from wardround.adapters.models.store import ModelStore
from wardround.errors import SpecError
from wardround.settings import Settings
from wardround.spec.loading import condition_ids
from wardround.training.decisions import Decision
from wardround.workflows.stores import model_store


def suspend(condition_id: str, by: str, why: str, settings: Settings) -> Decision:
    """Suspends the condition: from the next request on, it computes nothing new. Returns the decision in force.

    Raises SpecError for an unknown condition, and ModelError without a name and a reason.
    """
    return _store(condition_id, settings).suspend(condition_id, by, why)


def resume(condition_id: str, by: str, why: str, settings: Settings) -> Decision | None:
    """Ends the suspension; returns the decision that began it, or None if there was none. Raises as `suspend`."""
    return _store(condition_id, settings).resume(condition_id, by, why)


def _store(condition_id: str, settings: Settings) -> ModelStore:
    store = model_store(settings)
    # Known by name, without loading: if a condition's file is wrong, it must be possible to stop it.
    known = sorted({*_with_a_file(settings), *store.conditions()})
    if condition_id not in known:
        raise SpecError(f"model store: got condition {condition_id!r}, expected one of: {', '.join(known)}; correct it")
    return store


def _with_a_file(settings: Settings) -> tuple[str, ...]:
    try:
        return condition_ids(settings.schemas)
    except SpecError:  # even if all files are lost, a condition can be suspended
        return ()
