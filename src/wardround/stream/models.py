"""The model that a branch scores with: the live one of its condition, or a stored version that it names."""

from datetime import timedelta
from typing import NamedTuple

from wardround.adapters.models.store import ModelStore
from wardround.errors import ModelError, StorageError
from wardround.spec.branches import LIVE
from wardround.spec.conditions import Condition
from wardround.stream.branches import Way
from wardround.workflows.live_models import Live
from wardround.workflows.screen.run import horizon_of
from wardround.workflows.screen.scoring import Scoring


class Model(NamedTuple):
    """A model that is prepared, and how far it looks ahead; None: until the hospital stay ends."""

    scoring: Scoring
    version: str
    horizon: timedelta | None


class Models:
    """The models of all branches; `live` is looked at beside the messages."""

    def __init__(self, store: ModelStore, live: Live) -> None:
        self._live = live
        self._stored = StoredModels(store)

    def is_suspended(self, condition_id: str) -> bool:
        """Returns whether the condition computes nothing for people now."""
        return self._live.of(condition_id).suspended

    def of(self, way: Way) -> Model | str:
        """Returns the model of a branch, or why there is none at the moment."""
        if way.branch.model != LIVE:
            try:
                return self._stored.of(way.condition, way.branch.model)
            except (ModelError, StorageError) as error:
                return str(error)
        in_use = self._live.of(way.condition.id)
        if in_use.scoring is None:
            return in_use.problem
        return Model(in_use.scoring, in_use.version, in_use.horizon)


class StoredModels:
    """Stored versions, each prepared once."""

    def __init__(self, store: ModelStore) -> None:
        self._store = store
        self._models: dict[tuple[str, str], Model] = {}

    def of(self, condition: Condition, version: str) -> Model:
        """Returns a version. Raises ModelError or StorageError if it cannot be used."""
        key = condition.id, version
        if key not in self._models:
            model = self._store.model(condition, version)
            self._models[key] = Model(Scoring.of(condition, model), version, horizon_of(model.card.horizon, condition))
        return self._models[key]
