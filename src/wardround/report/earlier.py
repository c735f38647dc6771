"""The runs before a run that asked the same, as the report takes them: already read, none of it changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

# So many earlier runs are drawn beside this one.
DRAWN: Final = 7


@dataclass(frozen=True)
class RunBefore:
    """The latest run as of an earlier time that ended well.

    Attributes:
        as_of: its prediction time.
        model_version: that it scored with.
        ledger: stay_id, unit, outcome, reason, score and band of its stays.
        unknown: feature column -> how many of `rows` do not know it.
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
    """A run in between that nothing is compared with, and why."""

    as_of: pd.Timestamp
    why: str


@dataclass(frozen=True)
class EarlierRuns:
    """What came before a run; `points` are the oldest first, `looked_at` is how many runs were opened at most."""

    before: RunBefore | None = None
    passed_over: tuple[PassedOver, ...] = ()
    points: tuple[Point, ...] = ()
    exhausted: bool = False
