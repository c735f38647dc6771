"""Finds out whether a model learned from the patients that it is compared on."""

import pandas as pd

from wardround.adapters.files.run_folder import RunFolder
from wardround.core import run_files
from wardround.evaluation.comparison import Seen
from wardround.settings import Settings
from wardround.training.model import ModelCard
from wardround.workflows.train.run import run_that_made
from wardround.workflows.train.table import TEST


def seen_by(card: ModelCard, test_patients: pd.Series, data_digest: str, settings: Settings) -> Seen:
    """Returns whether the model learned from some of a table's test patients, and from how many.

    A model trained on the same table (`data_digest`: rows, folds, test patients) learned from none. For any other, the
    table of its own training tells, as long as that run is kept. For a model from elsewhere, or whose run is gone, the
    answer is unknown.
    """
    if card.imported:
        return Seen(answer="unknown")
    if card.data_digest == data_digest:
        return Seen(answer="no")
    run = run_that_made(card.condition, card.version, settings)
    if run is None:
        return Seen(answer="unknown")
    table = RunFolder.of(settings.runs, run).read_frame(run_files.TABLE, columns=["patient_id", "fold"])
    learned_from = set(table.loc[table["fold"] != TEST, "patient_id"])
    number = len(set(test_patients) & learned_from)
    return Seen(answer="yes", patients=number) if number else Seen(answer="no")
