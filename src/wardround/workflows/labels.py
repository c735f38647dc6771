"""MIMIC in, the labels of all its stays as a parquet file out; for Sepsis-3 also the hourly SOFA."""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from wardround.adapters.mimic.sepsis3 import Sepsis3Part
from wardround.adapters.table_file import TableFile


@dataclass(frozen=True)
class WrittenLabels:
    """Counts of stays (all, septic, unknown because nothing tells their SOFA) and of the hours written."""

    stays: int
    sepsis3: int
    unknown: int
    hours: int


def write_sepsis3(parts: Iterable[Sepsis3Part], out: Path, detail: Path | None) -> WrittenLabels:
    """Writes Sepsis-3 labels to `out`, a row per stay, and the hourly SOFA to `detail`; each appears when it is whole.

    Args:
        parts: MimicFolder.sepsis3_parts().
        out: gets stay_id, mimic_stay_id, sepsis3, suspected_infection_time, sofa_time, onset.
        detail: gets sepsis3.SOFA_COLUMNS.
    """
    stays, hours = [], 0
    with ExitStack() as files:
        labels = files.enter_context(TableFile(out))
        hourly = None if detail is None else files.enter_context(TableFile(detail))
        for part in parts:
            labels.write(part.labels.assign(onset=part.labels["sofa_time"]))
            stays.append(part.labels["sepsis3"])
            if hourly is not None:
                hourly.write(part.hourly)
                hours += len(part.hourly)
    septic = pd.concat(stays)
    return WrittenLabels(len(septic), int(septic.sum()), int(septic.isna().sum()), hours)
