"""The previous runs with the same request, already read, as the report needs them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

# How many earlier runs are drawn beside this one.
DRAWN: Final = 7


@dataclass(frozen=True)
class RunBefore:
    """The latest run with an earlier prediction time that ended successfully.

    Attributes:
        as_of: its prediction time.
        model_version: the version that it scored with.
        ledger: stay_id, unit, outcome, reason, score and band of its stays.
        unknown: feature column -> in how many of `rows` it is unknown.
        rows: its feature rows.
    """

    as_of: pd.Timestamp
    model_version: str
    ledger: pd.DataFrame
    unknown: Mapping[str, int]
    rows: int


@dataclass(frozen=True)
class Point:
    """How many stays a run found, and how many of them were in the high band."""

    as_of: pd.Timestamp
    found: int
    high: int


@dataclass(frozen=True)
class PassedOver:
    """A run in between that is not used for comparison, and why."""

    as_of: pd.Timestamp
    why: str


@dataclass(frozen=True)
class EarlierRuns:
    """The runs before a run; `points` start with the oldest, `looked_at` is the largest number of runs to open."""

    before: RunBefore | None = None
    passed_over: tuple[PassedOver, ...] = ()
    points: tuple[Point, ...] = ()
    exhausted: bool = False
