"""The model store of an installation, and which one a run scores with: that one, or the demo's in a rehearsal."""

from wardround.adapters.models.store import ModelStore
from wardround.errors import ModelError
from wardround.settings import Settings


def model_store(settings: Settings) -> ModelStore:
    """Returns the installation's model store, with the database that keeps its locks in object storage."""
    return ModelStore(settings.models, settings.database)


def store_of(demo_model: bool, settings: Settings) -> ModelStore:
    """Returns the model store. Raises ModelError if the demo's is requested and no demo has left one."""
    if not demo_model:
        return model_store(settings)
    if not settings.demo_models.is_dir():
        raise ModelError(f"{settings.demo_models}: not found, expected the demo's model; run `make demo` to train it")
    return ModelStore(settings.demo_models)
