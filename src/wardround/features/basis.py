"""Finds the events that a score rests on: for each patient, those that lie in the windows and were known at as_of.

The rule is the same as in `wardround.features.build`: time in [as_of - window, as_of], both ends included, and
available by as_of.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Final

import numpy as np

from wardround.core.events import Events
from wardround.core.microseconds import PER_HOUR, micros, micros_long
from wardround.core.runs import end_of_each, first_of_each
from wardround.spec.conditions import Condition


@dataclass(frozen=True, eq=False)
class UsedEvents:
    """The events behind one score, oldest first: by time, then availability, then value.

    Attributes:
        places: the number that stands for each variable's name in `variable`.
        variable: the variable of each event.
        hours_before: how many hours before as_of each event was: 0 or more.
        value: the value of each event, in the canonical unit.
        source_refs: the source reference of each event.
    """

    places: Mapping[str, int]
    variable: np.ndarray
    hours_before: np.ndarray
    value: np.ndarray
    source_refs: tuple[str, ...]

    def basis(self) -> tuple[str, ...]:
        """Returns the resources behind the score, each once: the components of one Observation are one resource."""
        return tuple(dict.fromkeys(self.source_refs))

    def of(self, variable: str, hours: float) -> tuple[np.ndarray, np.ndarray]:
        """Returns the times (hours before as_of) and values of the variable's events in the last `hours`."""
        mine = (self.variable == self.places.get(variable, -1)) & (self.hours_before <= hours)
        return self.hours_before[mine], self.value[mine]


NO_EVENTS: Final = UsedEvents({}, np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0), ())


def used_events(events: Events, condition: Condition, as_of: datetime) -> dict[str, UsedEvents]:
    """Returns the events behind the scores at as_of, by patient_id; patients without any events are not in it."""
    moment, reach = micros(as_of), condition.reach
    age = moment - events.time
    longest = events.variable.each(lambda name: micros_long(reach[name]) if name in reach else -1, np.int64)
    inside = ((age >= 0) & (age <= longest) & (events.available <= moment)).nonzero()[0]
    patient, refs = events.patient_id.codes[inside], events.source_ref[inside]
    keys = (patient, events.time[inside], events.available[inside], events.value[inside])
    order = _in_order(*keys, refs)
    rows, patient = inside[order], patient[order]
    variable, hours, value = events.variable.codes[rows], age[rows] / PER_HOUR, events.value[rows]
    source_refs = tuple(refs[order].tolist())
    places = {name: number for number, name in enumerate(events.variable.names)}
    begins = first_of_each(patient)
    used = {}
    for begin, end in zip(begins.tolist(), end_of_each(begins, len(rows)).tolist(), strict=True):
        name, mine = events.patient_id.names[patient[begin]], slice(begin, end)
        used[name] = UsedEvents(places, variable[mine], hours[mine], value[mine], source_refs[mine])
    return used


def _in_order(*keys: np.ndarray) -> np.ndarray:
    """Returns the order by these keys, the first key first; the last one, of texts, only decides between equals."""
    *numbers, text = keys
    order = np.lexsort(numbers[::-1])
    same = reduce(np.logical_and, (key[order[1:]] == key[order[:-1]] for key in numbers))
    if not same.any():
        return order
    # Comparing texts takes ten times as long as everything else, and few events tie with another.
    twins = order[np.append(same, False) | np.append(False, same)]
    rank = np.zeros(len(text), dtype=np.int64)
    rank[twins] = np.unique(text[twins].astype("U"), return_inverse=True)[1]
    return np.lexsort([rank, *numbers[::-1]])
