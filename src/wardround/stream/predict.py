"""The stage `predict`: a stay with its readings in, its score out, or the question whether to ask again later.

It sees patient values; it never logs.
"""

import gc
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from wardround.adapters.queue.message import DEAD, DONE, LATER, Done, Message
from wardround.adapters.queue.queue import Queue
from wardround.results.training_hours import OUTSIDE_TRAINING_HOURS
from wardround.settings import Settings
from wardround.spec.loading import load_conditions
from wardround.stream.asking import ASKED_AGAIN, as_of_of, asked_again, name_of
from wardround.stream.bodies import Scored, StayRead, packed, stay_in
from wardround.stream.branches import Way, ways_of
from wardround.stream.each import DELAYS, each_said
from wardround.stream.models import Model, Models
from wardround.stream.scoring import Outcome, ToScore, score_together
from wardround.stream.stored_readings import of_parquet
from wardround.stream.visit_keys import visit_in
from wardround.stream.warm_up import warm_up
from wardround.workflows.live_models import Live
from wardround.workflows.stores import model_store

SUSPENDED: Final = "suspended"
SHADOW: Final = "shadow"
INDETERMINATE: Final = "indeterminate"
NO_MODEL: Final = "no model can be used"
_MODEL_AGAIN: Final = timedelta(seconds=30)
_HOUR: Final = timedelta(hours=1)


@contextmanager
def opened(settings: Settings, _queue: Queue) -> Iterator["Predict"]:
    """Gives the stage, warm; promotions and suspensions are noticed within a second. Raises SpecError."""
    ways, store = ways_of(load_conditions(settings.schemas)), model_store(settings)
    live = Live(store, {way.condition.id: way.condition for way in ways.values()})
    live.look()
    models = Models(store, live)
    warm_up(models, ways.values(), datetime.now(UTC))
    # What is there now stays until the end; looking through it for garbage would delay a score.
    gc.collect()
    gc.freeze()
    with live.watched():
        yield Predict(models, ways)


class Predict:
    """Scores stays, those that wait together for one model as one chunk."""

    name = "predict"
    most = 64
    together = True
    delays = DELAYS

    def __init__(self, models: Models, ways: Mapping[str, Way]) -> None:
        self._models = models
        self._ways = ways

    def handle(self, taken: Sequence[Message], now: datetime) -> Iterator[Done]:
        """Yields what became of each stay."""
        found: dict[int, Done | Exception] = {}
        groups: defaultdict[str, list[Message]] = defaultdict(list)
        for message in taken:
            if message.branch in self._ways:
                groups[message.branch].append(message)
            else:
                found[message.seq] = Done(message, DEAD, f"there is no branch {message.branch}")
        for branch, messages in groups.items():
            found |= self._group(self._ways[branch], messages, now)
        yield from each_said(taken, found)

    def _group(self, way: Way, messages: Sequence[Message], now: datetime) -> dict[int, Done | Exception]:
        if self._models.is_suspended(way.condition.id):
            return {one.seq: Done(one, SUSPENDED) for one in messages}
        model = self._models.of(way)
        if isinstance(model, str):
            due = now + _MODEL_AGAIN
            return {one.seq: Done(one, LATER, NO_MODEL, due=due, counts=False) for one in messages}
        return {
            one.seq: said if isinstance(said, Exception) else _done(one, *said, way, model, now)
            for one, said in zip(messages, _scored(messages, way, model), strict=True)
        }


def _scored(messages: Sequence[Message], way: Way, model: Model) -> list[tuple[StayRead, Outcome] | Exception]:
    """Returns what the model says of each. If one of them breaks the chunk, each is scored alone."""
    try:
        read = [stay_in(one.body) for one in messages]
        asked = [
            ToScore(stay.of, of_parquet(stay.readings), as_of_of(one, way))
            for one, stay in zip(messages, read, strict=True)
        ]
        return list(zip(read, score_together(asked, model.scoring), strict=True))
    except Exception as error:  # noqa: BLE001 - whatever one stay's data may break, the others are scored
        if len(messages) == 1:
            return [error]
        return [said for one in messages for said in _scored([one], way, model)]


def _done(message: Message, read: StayRead, said: Outcome, way: Way, model: Model, now: datetime) -> Done:
    stated, as_of = said.explained.stated, as_of_of(message, way)
    if stated.score is None:
        again = () if _is_past(said, model, stated.why) else asked_again(message, way, read.admission)
        return Done(message, ASKED_AGAIN if again else INDETERMINATE, stated.why, outputs=again)
    if is_shadow(way, as_of):
        return Done(message, SHADOW, stated.band)
    put = message.followed_by(
        "notify",
        visit_in(message.key),
        packed(scored_body(read, said, model)),
        name_of(message, as_of),
        due=now,
        as_of=as_of,
    )
    return Done(message, DONE, outputs=(put,))


def is_shadow(way: Way, as_of: datetime) -> bool:
    """Returns whether the score is neither for the record nor for people: by the branch, or by its condition."""
    return "shadow" in (way.branch.mode, way.condition.mode_at(as_of))


def _is_past(said: Outcome, model: Model, why: str) -> bool:
    """Returns whether the stay has left the hours that the model covers, so that asking later does not help."""
    covered = model.scoring.model.card.training_hours
    return why == OUTSIDE_TRAINING_HOURS and covered is not None and said.hours > covered.last / _HOUR


def scored_body(read: StayRead, said: Outcome, model: Model) -> Scored:
    """Returns what the record and people get of a stay that has a score."""
    stay, explained = read.of, said.explained
    assert explained.stated.score is not None
    return Scored(
        admission=read.admission,
        stay_id=stay.stay_id,
        patient_id=stay.patient_id,
        score=explained.stated.score,
        band=explained.stated.band,
        basis=said.basis,
        reasons=explained.reasons,
        missing=explained.missing,
        model_version=model.version,
        horizon=None if model.horizon is None else model.horizon.total_seconds(),
        digest=said.digest,
        source_url=read.source_url,
    )
