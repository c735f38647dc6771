"""MIMIC in, a label of all its stays as a parquet file out; for Sepsis-3 also the hourly SOFA."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from wardround.adapters.files.table_file import TableFile
from wardround.sources.mimic.folder import MimicFolder
from wardround.spec.conditions import Label
from wardround.training.labels import LabelSources, outcomes, sepsis3_onset


@dataclass(frozen=True)
class WrittenLabels:
    """Counts: stays; those of them with the outcome and those of whom it is not known; hours of SOFA written."""

    stays: int
    positive: int
    unknown: int
    hours: int


def write_labels(
    mimic: MimicFolder, label: Label, out: Path, detail: Path | None, progress: Callable[[str], None]
) -> WrittenLabels:
    """Writes the label of all stays to `out`, sorted by stay_id; each file appears when it is whole.

    Args:
        mimic: where from.
        label: which of the condition's labels.
        out: gets stay_id, mimic_stay_id, a column named as the label's rule (boolean, empty if not known), for sepsis3
            suspected_infection_time and sofa_time, and onset (empty where the rule knows none).
        detail: gets the hourly SOFA (sources/mimic/sepsis3.SOFA_COLUMNS); for the rule sepsis3 only.
        progress: hears what is begun.
    """
    found, hours = [], 0
    with ExitStack() as files:
        labels = files.enter_context(TableFile(out))
        hourly = None if detail is None else files.enter_context(TableFile(detail))
        parts = _sepsis3(mimic, label, progress) if label.rule == "sepsis3" else _others(mimic, label)
        for rows, sofa in parts:
            labels.write(rows)
            found.append(rows[label.rule])
            if hourly is not None:
                hourly.write(sofa)
                hours += len(sofa)
    outcome = pd.concat(found)
    return WrittenLabels(len(outcome), int(outcome.sum()), int(outcome.isna().sum()), hours)


def _sepsis3(
    mimic: MimicFolder, label: Label, progress: Callable[[str], None]
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    for part in mimic.sepsis3_parts(progress):
        yield part.labels.assign(onset=sepsis3_onset(part.labels, label)), part.hourly


def _others(mimic: MimicFolder, label: Label) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    stays = mimic.stays()
    known = outcomes(LabelSources(stays, mimic.diagnoses()), label)
    columns = {label.rule: known["outcome"], "onset": known["onset"]}
    yield stays[["stay_id", "mimic_stay_id"]].assign(**columns), pd.DataFrame()
