"""A run's version in; whether it is live now, out."""

from wardround.adapters.model_store import ModelStore
from wardround.settings import Settings
from wardround.workflows.training.run import load_run


def promote(run: str, by: str, settings: Settings) -> bool:
    """Makes the run's model live if the request says so or the condition has no live model; gives whether it is live.

    A version that is live stays so; `by` says who or what asked.
    """
    opened = load_run(run, settings)
    version = opened.folder.read_json("version.json")["version"]
    store = ModelStore(settings.models)
    live = store.live(opened.condition.id)
    if live is not None and not opened.request.promote:
        return live.version == version
    why = "asked for in training" if opened.request.promote else "first model of the condition"
    store.promote(opened.condition, version, by, why)
    return True
