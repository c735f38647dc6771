"""A model's card and the patients it is compared on in; whether it learned from them, out."""

import pandas as pd

from wardround.adapters.files.run_folder import RunFolder
from wardround.core import run_files
from wardround.evaluation.comparison import Seen
from wardround.settings import Settings
from wardround.training.model import ModelCard
from wardround.workflows.train.run import TEST, run_that_made


def seen_by(card: ModelCard, test_patients: pd.Series, data_digest: str, settings: Settings) -> Seen:
    """Whether the model learned from some of the test patients of a table, and from how many.

    A model of the same table (`data_digest`: rows, folds, who tests) learned from none. Of another one the table of its
    own training tells, while that run is kept. Of a model from elsewhere, or without its run, nobody knows.
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
