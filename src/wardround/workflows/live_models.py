"""Keeps, for each condition, the model that is in use and whether the condition is suspended.

The doors that answer all the time share it. The store is looked at every second, beside their work: a model that went
live is loaded while the one before it still answers, and a suspension counts from then on. Nobody waits for it, unless
nobody has looked for a while.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Lock
from time import monotonic
from typing import Final

from wardround.adapters.models.store import ModelStore
from wardround.adapters.repeating import repeating
from wardround.errors import ModelError, StorageError, WardroundError, named
from wardround.spec.conditions import Condition
from wardround.workflows.screen.run import horizon_of
from wardround.workflows.screen.scoring import Scoring

_LOG = logging.getLogger(__name__)

_EVERY: Final = 1.0  # seconds between two looks
_OVERDUE: Final = 5.0  # seconds after which a call looks for itself: whoever should look has stopped
_TRUSTED_FOR: Final = 60.0  # seconds for which the last look counts while the store cannot be read
_AGAIN: Final = 10.0  # seconds until a model that could not be loaded is tried again


@dataclass(frozen=True, eq=False)
class InUse:
    """What a condition scores with at the moment.

    Attributes:
        scoring: the live model, prepared; None if there is none that can be used.
        version: of the live model; empty if none is live.
        horizon: how far the model looks ahead; None: until the hospital stay ends.
        suspended: whether the condition computes nothing for people at the moment.
        problem: why there is no scoring, in words without anything of a patient; empty if there is one.
    """

    scoring: Scoring | None = None
    version: str = ""
    horizon: timedelta | None = None
    suspended: bool = False
    problem: str = "no model is live"


class Live:
    """The models in use, for calls in any thread. `clock` counts seconds, and never goes back."""

    def __init__(
        self, store: ModelStore, conditions: Mapping[str, Condition], clock: Callable[[], float] = monotonic
    ) -> None:
        self._store = store
        self._conditions = conditions
        self._clock = clock
        self._in_use = {condition: InUse() for condition in conditions}
        self._seen = dict.fromkeys(conditions, float("-inf"))
        self._tried = dict.fromkeys(conditions, float("-inf"))
        self._looked = float("-inf")
        self._unread = dict.fromkeys(conditions, "")  # why the store could not be read the last time
        self._one_at_a_time = Lock()

    def of(self, condition_id: str) -> InUse:
        """Returns what the condition scores with now."""
        now = self._clock()
        if now - self._looked > _OVERDUE:
            # Whoever looks at this moment may be loading a model: only the first call ever waits for that.
            self.look(wait=self._looked == float("-inf"))
        if self._clock() - self._seen[condition_id] > _TRUSTED_FOR:
            return InUse(problem="the model store cannot be read")
        return self._in_use[condition_id]

    def look(self, wait: bool = True) -> None:
        """Brings every condition up to date with the store; what cannot be read or used is logged, once.

        If somebody else is doing so, waits until they have done it and does it again, or leaves it to them.
        """
        if not self._one_at_a_time.acquire(blocking=wait):
            return
        try:
            for condition in self._conditions.values():
                self._look_at(condition)
            self._looked = self._clock()
        finally:
            self._one_at_a_time.release()

    def watched(self) -> AbstractContextManager[None]:
        """Looks every second, in a thread of its own, until the block ends."""
        return repeating(self.look, _EVERY, "live-models")

    def _look_at(self, condition: Condition) -> None:
        before = self._in_use[condition.id]
        try:
            standing = self._store.standing(condition.id)
        except (ModelError, StorageError) as error:
            if str(error) != self._unread[condition.id]:
                _LOG.error("%s: %s", condition.id, error)
            self._unread[condition.id] = str(error)
            return
        version = standing.version or ""
        # A suspension counts before a new model is loaded, which takes a moment.
        self._in_use[condition.id] = replace(before, suspended=standing.suspended is not None)
        failed = bool(version) and before.scoring is None and self._clock() - self._tried[condition.id] > _AGAIN
        if version != before.version or failed:
            self._tried[condition.id] = self._clock()
            self._in_use[condition.id] = self._loaded(condition, version, self._in_use[condition.id])
        self._seen[condition.id], self._unread[condition.id] = self._clock(), ""

    def _loaded(self, condition: Condition, version: str, before: InUse) -> InUse:
        now = InUse(version=version, suspended=before.suspended)
        if not version:
            return now
        try:
            model = self._store.model(condition, version)
            scoring = Scoring.of(condition, model)
        except Exception as error:  # noqa: BLE001 - whatever a model's file may break, the others go on
            problem = str(error) if isinstance(error, WardroundError) else f"model {version}: {named(error)}"
            if before.problem != problem:
                _LOG.error("%s: %s", condition.id, problem)
            return replace(now, problem=problem)
        _LOG.info("%s: model %s is in use", condition.id, version)
        return replace(now, scoring=scoring, horizon=horizon_of(model.card.horizon, condition), problem="")
