"""The gate and the features for tests that write their readings and events as frames."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from wardround.core import events as gate
from wardround.core.events import Events
from wardround.core.readings import Readings
from wardround.features import basis as events_behind
from wardround.features import build
from wardround.features.basis import UsedEvents
from wardround.spec.conditions import Condition
from wardround.spec.variables import Variable


class UsedEvent(NamedTuple):
    """One event behind a score."""

    variable: str
    hours_before: float
    value: float
    source_ref: str


class Admitted(NamedTuple):
    """Events (EVENT_COLUMNS) and what was set aside (SET_ASIDE_COLUMNS)."""

    events: pd.DataFrame
    set_aside: pd.DataFrame


def admit(readings: pd.DataFrame, variables: Mapping[str, Variable], as_of: pd.Timestamp | None = None) -> Admitted:
    """What becomes of readings (READING_COLUMNS)."""
    events, set_aside = gate.admit(Readings.of_frame(readings), variables, as_of)
    return Admitted(events.frame(), set_aside.frame())


def build_features(events: pd.DataFrame, index: pd.DataFrame, condition: Condition) -> pd.DataFrame:
    """The features that events (EVENT_COLUMNS) give."""
    return build.build_features(Events.of_frame(events), index, condition)


def used_events(events: pd.DataFrame, condition: Condition, as_of: pd.Timestamp) -> dict[str, list[UsedEvent]]:
    """The events (EVENT_COLUMNS) behind the scores at as_of, by patient_id."""
    found = events_behind.used_events(Events.of_frame(events), condition, as_of)
    return {patient: _one_by_one(used) for patient, used in found.items()}


def _one_by_one(used: UsedEvents) -> list[UsedEvent]:
    names = {number: name for name, number in used.places.items()}
    variables = [names[number] for number in used.variable.tolist()]
    rows = zip(variables, used.hours_before.tolist(), used.value.tolist(), used.source_refs, strict=True)
    return [UsedEvent(*row) for row in rows]


def used_of(events: Collection[UsedEvent]) -> UsedEvents:
    """The events behind a score, the oldest first, as columns."""
    variables, hours, values, refs = zip(*events, strict=True) if events else ((),) * 4
    places = {name: number for number, name in enumerate(dict.fromkeys(variables))}
    numbers = np.array([places[name] for name in variables], dtype=np.int64)
    return UsedEvents(places, numbers, np.array(hours, dtype=float), np.array(values, dtype=float), tuple(refs))
