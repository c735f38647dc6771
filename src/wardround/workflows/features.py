"""Builds a condition's feature table from a source: each stay at a time after admission, or all stays at one time."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import pandas as pd

from wardround.core.events import admit, empty_readings
from wardround.core.readings import Readings
from wardround.core.stays import NOT_IN_PROGRESS, FoundStays, eligible, index_after, index_as_of
from wardround.features.build import build_features
from wardround.spec.conditions import Condition
from wardround.spec.variables import Variable


class Source(Protocol):
    """The methods that MIMIC's CSVs, a folder of NDJSON and a FHIR server share."""

    @property
    def outside(self) -> Mapping[str, int]:
        """Readings that were read but lie in no window, by variable; readings that were never read are not counted."""

    def find_stays(self, *, as_of: datetime | None = None) -> FoundStays:
        """Returns all ICU stays; with as_of, those begun by then, with what speaks against scoring them then."""

    def readings(
        self, index: pd.DataFrame, variables: Mapping[str, Variable], window: timedelta
    ) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
        """Yields rows of the index, each once, with their patients' readings (READING_COLUMNS) in their windows."""


@dataclass(frozen=True)
class FeatureTable:
    """Features, and counts of what is not in them.

    Attributes:
        features: stay_id, as_of, then the condition's columns; one row per stay, sorted by stay_id.
        stays_set_aside: Encounters that cannot be used, by reason.
        set_aside: readings that did not become events, by variable and reason, such as `heart_rate: unknown_unit`.
        outside: readings in no window, by variable, as far as the source returned them.
        not_in_progress: number of stays without a row because they were not in progress at the requested time.
        excluded: stays that were in progress then, and that a screening excludes, by reason.
    """

    features: pd.DataFrame
    stays_set_aside: dict[str, int]
    set_aside: dict[str, int]
    outside: dict[str, int]
    not_in_progress: int
    excluded: dict[str, int]


def build_table(source: Source, condition: Condition, moment: timedelta | datetime) -> FeatureTable:
    """Returns the features of all stays `moment` after admission, or of the stays scored by a screening at `moment`."""
    as_of = moment if isinstance(moment, datetime) else None
    found = source.find_stays(as_of=as_of)
    stays, reasons = found.stays, Counter[str]()
    if as_of:
        cohort = eligible(stays, pd.Timestamp(as_of), condition)
        stays, reasons = cohort.eligible, Counter(cohort.excluded["reason"])
    features, set_aside = features_of(source, _index_at(stays, moment), condition)
    return FeatureTable(
        features=features,
        stays_set_aside=found.set_aside["reason"].value_counts().to_dict(),
        set_aside=set_aside,
        outside=dict(source.outside),
        not_in_progress=sum(reasons.pop(reason, 0) for reason in NOT_IN_PROGRESS),
        excluded=dict(sorted(reasons.items())),
    )


def features_of(source: Source, index: pd.DataFrame, condition: Condition) -> tuple[pd.DataFrame, dict[str, int]]:
    """Returns the features of the index's rows, sorted by stay_id, and counts of readings that did not become events.

    Only the readings of some patients are in memory at a time.
    """
    set_aside: Counter[str] = Counter()
    tables = [features_from(empty_readings(), index.head(0), condition, set_aside)]
    for rows, readings in source.readings(index, condition.variables, condition.longest_window):
        tables.append(features_from(readings, rows, condition, set_aside))
    return pd.concat(tables).sort_values("stay_id", ignore_index=True), dict(sorted(set_aside.items()))


def _index_at(stays: pd.DataFrame, moment: timedelta | datetime) -> pd.DataFrame:
    """Returns the index of all the stays: `moment` after admission, or at the time `moment`."""
    if isinstance(moment, timedelta):
        return index_after(stays, moment)
    return index_as_of(stays, pd.Timestamp(moment))


def features_from(
    readings: pd.DataFrame, index: pd.DataFrame, condition: Condition, set_aside: Counter[str]
) -> pd.DataFrame:
    """Returns the features of the index's rows, in their order; `set_aside` counts what did not become an event."""
    events, aside = admit(Readings.of_frame(readings), condition.variables)
    set_aside.update(f"{name}: {reason}" for name, reason in zip(aside.variable, aside.reason, strict=True))
    return build_features(events, index, condition)
