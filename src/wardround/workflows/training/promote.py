"""A run's version, who decided and why in; what is live, or a decision that leaves live as it is, out."""

from wardround.adapters.decisions import What
from wardround.adapters.model_store import LiveRecord, ModelStore
from wardround.errors import ModelError
from wardround.settings import Settings
from wardround.workflows.training.compare import comparison_of
from wardround.workflows.training.run import load_run


def is_live(run: str, settings: Settings) -> bool:
    """Whether the run's version is live already: the same data, seed and spec give the same version."""
    opened = load_run(run, settings)
    live = ModelStore(settings.models).live(opened.condition.id)
    return live is not None and live.version == comparison_of(opened).version


def why_unasked(run: str, settings: Settings) -> str | None:
    """Why the run's version may go live without anybody being asked; None if somebody must be."""
    opened = load_run(run, settings)
    if opened.request.approval == "never":
        return "asked for in training (approval: never)"
    first = ModelStore(settings.models).live(opened.condition.id) is None
    return "first model of the condition" if first and opened.request.approval == "first_without_asking" else None


def promote(run: str, by: str, why: str, settings: Settings) -> LiveRecord:
    """Makes the run's version live; one that is live already stays so.

    Raises ModelError if it cannot score today, if a promotion gate failed, or if another version went live since the
    two were compared; and TrainingError if the spec changed since the run was opened.
    """
    opened = load_run(run, settings)
    store, comparison = ModelStore(settings.models), comparison_of(opened)
    live = store.live(opened.condition.id)
    now = live.version if live else None
    if now not in (comparison.live, comparison.version):
        raise ModelError(
            f"model {comparison.version} of {opened.condition.id}: compared with {comparison.live or 'nothing'}, but"
            f" {now or 'nothing'} is live now; compare again (in Airflow clear the task compare)"
        )
    return store.promote(opened.condition, comparison.version, by, why)


def leave(run: str, what: What, by: str, why: str, settings: Settings) -> None:
    """Records that the run's version was `rejected`, or that the question stayed `unanswered`; live stays as it is."""
    opened = load_run(run, settings)
    ModelStore(settings.models).record(opened.condition.id, what, comparison_of(opened).version, by, why)
