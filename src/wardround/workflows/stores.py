"""Which model store a run scores with: the project's, or for a rehearsal the demo's."""

from wardround.adapters.models.store import ModelStore
from wardround.errors import ModelError
from wardround.settings import Settings


def store_of(demo_model: bool, settings: Settings) -> ModelStore:
    """Raises ModelError if the demo's is asked for and no demo left one."""
    if not demo_model:
        return ModelStore(settings.models)
    if not settings.demo_models.is_dir():
        raise ModelError(f"{settings.demo_models}: there is no demo's model, expected what `make demo` leaves; run it")
    return ModelStore(settings.demo_models)
