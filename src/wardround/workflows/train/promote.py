"""Makes a run's version live, or records a decision that leaves the live version unchanged."""

from wardround.adapters.models.live_record import LiveRecord
from wardround.settings import Settings
from wardround.training.decisions import Decision, What
from wardround.workflows.stores import model_store
from wardround.workflows.train.compare import comparison_of
from wardround.workflows.train.run import load_run, step_of


def is_live(run: str, settings: Settings) -> bool:
    """Returns whether the run's version is live already: the same data, seed and spec give the same version."""
    opened = load_run(run, settings)
    live = model_store(settings).live(opened.condition.id)
    return live is not None and live.version == comparison_of(opened).version


def withdrawal(run: str, settings: Settings) -> Decision | None:
    """Returns the decision by which the run's version was withdrawn (rolled back from or rejected), or None."""
    opened = load_run(run, settings)
    withdrawn = model_store(settings).standing(opened.condition.id).withdrawn
    return withdrawn.get(comparison_of(opened).version)


def why_unasked(run: str, settings: Settings) -> str | None:
    """Returns why the run's version may go live without approval; None if a person must approve.

    A withdrawn version goes live again only by name, whatever the request says.
    """
    opened = load_run(run, settings)
    first = model_store(settings).live(opened.condition.id) is None
    unjudged = "; no gate could judge it" if comparison_of(opened).verdict == "not_judged" else ""
    if withdrawal(run, settings):
        return None
    if opened.request.approval == "never":
        return f"asked for in training (approval: never){unjudged}"
    return f"first model of the condition{unjudged}" if first and opened.request.approval != "ask" else None


def promote(run: str, by: str, why: str, settings: Settings) -> LiveRecord:
    """Makes the run's version live; if it is live already, nothing changes.

    Raises ModelError if it cannot score today, if a promotion gate failed, or if another version went live since the
    two were compared; and TrainingError if the spec changed since the run was opened.
    """
    with step_of(run, "promote", settings) as step:
        opened = load_run(run, settings)
        comparison = comparison_of(opened)
        store = model_store(settings)
        record = store.promote(opened.condition, comparison.version, by, why, compared=comparison)
        step.name(version=record.version)
    return record


def leave(run: str, what: What, by: str, why: str, settings: Settings) -> None:
    """Records that the run's version was `rejected`, or that nobody answered (`unanswered`); the live version stays."""
    opened = load_run(run, settings)
    model_store(settings).record(opened.condition.id, what, comparison_of(opened).version, by, why)
