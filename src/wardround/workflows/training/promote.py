"""A run's version in; whether it is live now, out."""

from wardround.adapters.model_store import ModelStore
from wardround.settings import Settings
from wardround.workflows.training.run import load_run


def promote(run: str, by: str, settings: Settings) -> bool:
    """Makes the run's model live if it is the condition's first and nobody must be asked; gives whether it is live.

    A version that is live stays so; `by` says who or what asked.
    """
    opened = load_run(run, settings)
    version = opened.folder.read_json("version.json")["version"]
    store = ModelStore(settings.models)
    live = store.live(opened.condition.id)
    if live is not None or opened.request.approval != "first_without_asking":
        return live is not None and live.version == version
    store.promote(opened.condition, version, by, "first model of the condition")
    return True
