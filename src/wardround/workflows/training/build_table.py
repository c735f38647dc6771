"""A run's index in; its table (outcome, features, fold) out, and the names of the candidates to fit."""

import numpy as np
import pandas as pd

from wardround.adapters.mimic.folder import MimicFolder
from wardround.core.cohorts import TrainingCohort, leave_out_too_little_data
from wardround.core.splits import grouped_folds, patients_to_test
from wardround.settings import Settings
from wardround.workflows.features import features_of
from wardround.workflows.training.run import TEST, load_run


def build_table(run: str, settings: Settings) -> list[str]:
    """Gives the candidates' names. Writes table.parquet, excluded.parquet (every stay that is not in the table),
    set_aside.json (counts of readings that are no events) and candidates.json.

    Raises TrainingError if there are too few patients, and SourceDataError.
    """
    opened = load_run(run, settings)
    cohort = TrainingCohort(opened.folder.read_frame("index.parquet"), opened.folder.read_frame("left_out.parquet"))
    known, set_aside = features_of(MimicFolder(opened.request.mimic), cohort.index, opened.condition)
    opened.folder.write_json("set_aside.json", set_aside)
    features = cohort.index[["stay_id"]].merge(known.drop(columns="as_of"), on="stay_id", validate="one_to_one")
    used = leave_out_too_little_data(cohort, features, opened.condition)
    opened.folder.write_frame("excluded.parquet", used.excluded)
    opened.folder.write_frame("table.parquet", _with_folds(used.index, features, opened.request.seed))
    # scikit-learn and XGBoost take seconds to import.
    from wardround.core.candidates.registry import CANDIDATES

    opened.folder.write_json("candidates.json", list(CANDIDATES))
    return list(CANDIDATES)


def _with_folds(index: pd.DataFrame, features: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The index with its features and `fold` (TEST for the test side), sorted by stay, so that order means nothing."""
    stays = index[["stay_id", "patient_id", "as_of", "outcome"]]
    table = stays.merge(features, on="stay_id", validate="one_to_one").sort_values("stay_id", ignore_index=True)
    train = ~table["patient_id"].isin(patients_to_test(table, seed))
    fold = np.full(len(table), TEST)
    fold[train] = grouped_folds(table[train], seed)
    return table.assign(fold=fold)
