"""The gate and the features for tests that write their readings and events as frames."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from wardround.core import events as gate
from wardround.core.events import Events
from wardround.core.readings import Readings
from wardround.features import build
from wardround.spec.conditions import Condition
from wardround.spec.variables import Variable


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
