"""A condition is switched off, and on again: by whom and why in, what held until then out."""

from wardround.adapters.models.store import ModelStore
from wardround.errors import SpecError
from wardround.settings import Settings
from wardround.spec.loading import condition_ids
from wardround.training.decisions import Decision


def suspend(condition_id: str, by: str, why: str, settings: Settings) -> Decision:
    """From the next request on the condition computes nothing new for people; gives the decision since which.

    Raises SpecError for a condition that nobody knows, and ModelError without a name and a reason.
    """
    return _store(condition_id, settings).suspend(condition_id, by, why)


def resume(condition_id: str, by: str, why: str, settings: Settings) -> Decision | None:
    """Ends the suspension; gives the decision that it began with, None if there was none. Raises as `suspend`."""
    return _store(condition_id, settings).resume(condition_id, by, why)


def _store(condition_id: str, settings: Settings) -> ModelStore:
    store = ModelStore(settings.models)
    # By name and not by loading: a condition must be stopped above all when its file is wrong.
    known = sorted({*_with_a_file(settings), *store.conditions()})
    if condition_id not in known:
        raise SpecError(f"model store: got condition {condition_id!r}, expected one of: {', '.join(known)}; correct it")
    return store


def _with_a_file(settings: Settings) -> tuple[str, ...]:
    try:
        return condition_ids(settings.schemas)
    except SpecError:  # a home that has lost them all is no reason to go on
        return ()
