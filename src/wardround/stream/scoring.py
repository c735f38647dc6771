"""Scores stays that wait together as one chunk: the gate, features, model and reasons of a screening.

Each stay has its own prediction time, and its own readings even if its patient is in the chunk twice. It sees patient
values; it never logs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import numpy as np

from wardround.core.events import Events, admit
from wardround.core.exclusion import Stay
from wardround.core.microseconds import micros
from wardround.core.readings import Readings
from wardround.core.texts import Texts
from wardround.features.basis import NO_EVENTS, used_events
from wardround.features.build import feature_values
from wardround.features.index import Index
from wardround.spec.conditions import Condition
from wardround.workflows.screen.scoring import Explained, Scoring


@dataclass(frozen=True)
class ToScore:
    """A stay, its readings, which may hold more than the windows, and the prediction time."""

    stay: Stay
    readings: Readings
    as_of: datetime


@dataclass(frozen=True)
class Outcome:
    """What the model says of a stay, and what it rests on.

    Attributes:
        explained: score, band, reasons and missing inputs.
        hours: since the begin of the stay in the unit.
        basis: references of the resources used.
        digest: SHA-256 of the values of all columns.
    """

    explained: Explained
    hours: float
    basis: tuple[str, ...]
    digest: str


def score_together(asked: Sequence[ToScore], scoring: Scoring) -> list[Outcome]:
    """Returns what the model says of each stay. Raises ModelError if it returns anything but probabilities."""
    condition = scoring.columns.condition
    events, used = [], []
    for one in asked:
        admitted, _ = admit(one.readings, condition.variables, one.as_of)
        events.append(admitted)
        used.append(used_events(admitted, condition, one.as_of).get(one.stay.patient_id, NO_EVENTS))
    values = feature_values(_each_apart(events, asked), _index(asked, condition), condition)
    hours = np.array([one.stay.hours_at(micros(one.as_of)) for one in asked])
    explained = scoring.explained(values, hours, used)
    return [
        Outcome(said, float(hours[row]), used[row].basis(), sha256(values[row].tobytes()).hexdigest())
        for row, said in enumerate(explained)
    ]


def _each_apart(events: Sequence[Events], asked: Sequence[ToScore]) -> Events:
    """Returns all events, each of the row that it was read for; those of other patients belong to no row."""
    own = [
        f"{row}" if whose == asked[row].stay.patient_id else ""
        for row, one in enumerate(events)
        for whose in one.patient_id
    ]
    return Events(
        Texts.of(own),
        np.concatenate([one.time for one in events]),
        np.concatenate([one.available for one in events]),
        Texts.together([one.variable for one in events]),
        np.concatenate([one.value for one in events]),
        np.concatenate([one.source_ref for one in events]),
    )


def _index(asked: Sequence[ToScore], condition: Condition) -> Index:
    each = [Index.of_stays([one.stay], one.as_of, condition) for one in asked]
    return Index(
        Texts.of([f"{row}" for row in range(len(asked))]),
        np.concatenate([one.as_of for one in each]),
        {name: np.concatenate([one.demographics[name] for one in each]) for name in condition.features.demographics},
    )
