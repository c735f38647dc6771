"""Writes a label for all stays of MIMIC as a parquet file; for Sepsis-3 also the hourly SOFA."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from wardround.adapters.files.table_file import TableFile
from wardround.core.progress import Say
from wardround.sources.mimic.folder import MimicFolder
from wardround.spec.conditions import Label
from wardround.training.labels import LabelSources, outcomes, sepsis3_onset, sepsis3_rows


@dataclass(frozen=True)
class WrittenLabels:
    """Counts: stays; stays with the outcome; stays whose outcome is unknown; hours of SOFA written."""

    stays: int
    positive: int
    unknown: int
    hours: int


def write_labels(mimic: MimicFolder, label: Label, out: Path, detail: Path | None, say: Say) -> WrittenLabels:
    """Writes the label of all stays to `out`, sorted by stay_id; each file appears when it is complete.

    Args:
        mimic: the source.
        label: which of the condition's labels.
        out: gets stay_id, mimic_stay_id, a column named after the label's rule (boolean, empty if unknown), for sepsis3
            suspected_infection_time, sofa_time and sofa_rise_time, and onset (empty if the rule has none).
        detail: gets the hourly SOFA (sources/mimic/sepsis3.SOFA_COLUMNS); only for the rule sepsis3.
        say: is called when a step begins.
    """
    found, hours = [], 0
    with ExitStack() as files:
        labels = files.enter_context(TableFile(out))
        hourly = None if detail is None else files.enter_context(TableFile(detail))
        parts = _sepsis3(mimic, label, say) if label.rule == "sepsis3" else _others(mimic, label)
        for rows, sofa in parts:
            labels.write(rows)
            found.append(rows[label.rule])
            if hourly is not None:
                hourly.write(sofa)
                hours += len(sofa)
    outcome = pd.concat(found)
    return WrittenLabels(len(outcome), int(outcome.sum()), int(outcome.isna().sum()), hours)


def _sepsis3(mimic: MimicFolder, label: Label, say: Say) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    for part in mimic.sepsis3_parts(say):
        rows = sepsis3_rows(part.labels, label)
        yield rows.assign(onset=sepsis3_onset(rows, label)), part.hourly


def _others(mimic: MimicFolder, label: Label) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    stays = mimic.stays()
    known = outcomes(LabelSources(stays, mimic.diagnoses()), label)
    columns = {label.rule: known["outcome"], "onset": known["onset"]}
    yield stays[["stay_id", "mimic_stay_id"]].assign(**columns), pd.DataFrame()
