"""Scores one stay as a screening scores many: the same gate, features, model and reasons.

It sees patient values; it never logs.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import numpy as np
import orjson

from wardround.core.events import admit
from wardround.core.exclusion import Stay
from wardround.core.microseconds import UNKNOWN, micros
from wardround.core.readings import Readings
from wardround.features.basis import NO_EVENTS, UsedEvents, used_events
from wardround.features.build import feature_values
from wardround.features.index import Index
from wardround.spec.conditions import Condition
from wardround.workflows.screen.find_stays import UNCERTAIN_UNIT_BEGIN
from wardround.workflows.screen.scoring import Explained, Scoring


@dataclass(frozen=True)
class Scored:
    """What the model says of a stay, and what it rests on.

    Attributes:
        explained: score, band, reasons and missing inputs.
        hours: since the begin of the stay in the unit.
        basis: references of the resources used.
        set_aside: how many values were not used, by reason.
        begins_unknown: why the begin of the stay is not known, by the input that is therefore missing.
        digest: SHA-256 of the values of all columns.
        rests_on: SHA-256 of the values used, with the resources that they are of, and of the band. Unlike the columns,
            which count the hours of a stay, it is the same a minute later if nothing new is known.
    """

    explained: Explained
    hours: float
    basis: tuple[str, ...]
    set_aside: dict[str, int]
    begins_unknown: dict[str, str]
    digest: str
    rests_on: str


def score_stay(stay: Stay, readings: Readings, scoring: Scoring, as_of: datetime) -> Scored:
    """Returns what the model says of the stay at as_of from these readings, which may hold more than the windows.

    Raises ModelError if the model returns anything but a probability.
    """
    condition = scoring.columns.condition
    events, aside = admit(readings, condition.variables, as_of)
    used = used_events(events, condition, as_of).get(stay.patient_id, NO_EVENTS)
    values = feature_values(events, Index.of_stays([stay], as_of, condition), condition)
    hours = stay.hours_at(micros(as_of))
    (explained,) = scoring.explained(values, np.array([hours]), [used])
    reasons = sorted(set(aside.reason))
    return Scored(
        explained,
        hours,
        used.basis(),
        {reason: aside.reason.count(reason) for reason in reasons},
        _begins_unknown(stay, condition),
        sha256(values.tobytes()).hexdigest(),
        _rests_on(used, explained.stated.band),
    )


def _rests_on(used: UsedEvents, band: str) -> str:
    # References hold no quotes, so that this is the text of `json.dumps`, which takes seven times as long.
    said = orjson.dumps([band, used.source_refs]).replace(b'",', b'", ')
    return sha256(said + used.value.tobytes()).hexdigest()


def _begins_unknown(stay: Stay, condition: Condition) -> dict[str, str]:
    in_unit = UNCERTAIN_UNIT_BEGIN if stay.unit_begin == UNKNOWN else ""
    reasons = {"hours_in_unit": in_unit, "hours_in_hospital": stay.hospital_unknown}
    return {name: why for name, why in reasons.items() if why and name in condition.features.demographics}
