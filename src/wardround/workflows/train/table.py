"""A training run's table, of which only some rows, or some columns, are in memory at a time.

All hours at risk of MIMIC-IV are millions of rows. What a model is fitted to is held in memory, and limited; every
other row is scored in passing, and only its score is kept.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from wardround.adapters.files.parquet import batches_in
from wardround.adapters.files.run_folder import RunFolder
from wardround.core import run_files
from wardround.evaluation.samples import Sample
from wardround.results.training_hours import TrainingHours, outside_training_hours
from wardround.spec.conditions import CLOCKS, Condition
from wardround.training.fitting import TrainingRows
from wardround.training.splits import sample_of_side
from wardround.training.tasks import ROW_COLUMNS
from wardround.workflows.train.request import FittedOn, SplitRule

# In the column `fold` of the table: a row of the test set, which is in no fold of the cross-validation.
TEST: Final = -1
_MOST_FITTED: Final = 500_000
"""A model is fitted to at most so many rows; if there are more, fewer without the outcome are drawn."""
ROWS_AT_ONCE: Final = 20_000


@dataclass(frozen=True)
class Rows:
    """Predictions without their features (`training.tasks.ROW_COLUMNS` and fold), and how their patients were drawn."""

    frame: pd.DataFrame
    sample: Sample

    @property
    def outcome(self) -> np.ndarray:
        return self.frame["outcome"].to_numpy(dtype=int)

    @property
    def folds(self) -> np.ndarray:
        return self.frame["fold"].to_numpy(dtype=int)

    @property
    def patients(self) -> pd.Series:
        return self.frame["patient_id"]

    def covered_by(self, *hours: TrainingHours | None) -> np.ndarray:
        """Returns, for each row, whether models that cover these hours are all asked there."""
        since = self.frame["hour"].to_numpy(dtype=float)
        return ~np.any([outside_training_hours(since, each) for each in hours], axis=0)

    def take(self, chosen: np.ndarray) -> "Rows":
        """Returns the chosen rows (booleans)."""
        return Rows(self.frame[chosen].reset_index(drop=True), self.sample.take(chosen))

    @property
    def stays(self) -> int:
        return int(self.frame["stay_id"].nunique())

    @property
    def positive_stays(self) -> int:
        """Stays with the outcome in at least one row."""
        return self._with_outcome("stay_id")

    @property
    def positive_patients(self) -> int:
        """Patients with the outcome in at least one row."""
        return self._with_outcome("patient_id")

    def _with_outcome(self, column: str) -> int:
        return int(self.frame.loc[self.frame["outcome"].astype(bool), column].nunique())


@dataclass(frozen=True)
class Table:
    """The table of a run: a row for each prediction, with ROW_COLUMNS, fold and the condition's columns.

    `most_outcomes`: how many predictions of a stay can have the outcome (see `Task`).
    """

    folder: RunFolder
    condition: Condition
    split: SplitRule
    most_outcomes: int | None

    def side(self, *, on_test: bool) -> Rows:
        """Returns all rows of one set, without their features."""
        rows = self.folder.read_frame(run_files.TABLE, columns=[*ROW_COLUMNS, "fold"])
        mine = rows[(rows["fold"] == TEST) == on_test].reset_index(drop=True)
        by_calendar, outcome = self.split == "calendar", mine["outcome"].to_numpy(dtype=int)
        sample = sample_of_side(outcome, mine["patient_id"], by_calendar=by_calendar, on_test=on_test)
        return Rows(mine, sample.limited(mine["stay_id"], self.most_outcomes))

    def clocks(self) -> pd.DataFrame:
        """Returns the stay, the hour and the times since the stay's begins (`CLOCKS`) of all rows."""
        names = [name for name in CLOCKS if name in self.condition.columns]
        return self.folder.read_frame(run_files.TABLE, columns=["stay_id", "hour", *names])

    def scored(self, score: Callable[[pd.DataFrame], np.ndarray], fold: int = TEST) -> np.ndarray:
        """Returns what `score` says of the features of each row of a fold, by default of the test set."""
        parts = [score(features) for features in self.features(fold)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def features(self, fold: int = TEST) -> Iterator[pd.DataFrame]:
        """Yields the features of a fold's rows, in their order, some at a time."""
        for batch in self._batches(["fold", *self.condition.columns]):
            mine = batch.loc[batch["fold"] == fold, list(self.condition.columns)]
            if len(mine):
                yield mine.reset_index(drop=True)

    def some_of_test(self, most: int) -> pd.DataFrame:
        """Returns the features of at most so many rows of the test set, taken evenly."""
        rows = int((self.folder.read_frame(run_files.TABLE, columns=["fold"])["fold"] == TEST).sum())
        step = max(-(-rows // most), 1)
        parts, seen = [], 0
        for features in self.features():
            parts.append(features[-seen % step :: step])
            seen += len(features)
        return pd.concat(parts, ignore_index=True)

    def fitted(self, fitted_on: FittedOn, seed: int, most: int = _MOST_FITTED) -> TrainingRows:
        """Returns the rows of the training set that a model is fitted to.

        All rows with the outcome are among them. If there are more than `most` rows, those without it are drawn at
        random, whatever their hour: unlike matched hours, they then still show how the risk depends on the time since
        admission. Calibration on all rows (Platt) makes up for the outcome's being more frequent among them.
        """
        keys = self.folder.read_frame(run_files.TABLE, columns=["patient_id", "outcome", "matched", "fold"])
        outcome = keys["outcome"].to_numpy(dtype=bool)
        chosen = (keys["fold"] != TEST).to_numpy()
        if fitted_on == "matched":
            chosen = chosen & keys["matched"].to_numpy(dtype=bool)
        chosen = _thinned(chosen, outcome, most, seed)
        kept = keys[chosen].reset_index(drop=True)
        return TrainingRows(
            features=self._features_of(chosen),
            outcome=outcome[chosen].astype(int),
            folds=kept["fold"].to_numpy(dtype=int),
            patients=kept["patient_id"],
        )

    def digest(self) -> str:
        """Returns a digest of names and values of the table's columns, in order; however parquet stores them.

        It covers rows, features, outcomes and folds, and therefore which patients are in the test set.
        """
        digest = hashlib.sha256()
        for number, batch in enumerate(self._batches()):
            if not number:
                digest.update("\n".join(batch.columns).encode())
            digest.update(pd.util.hash_pandas_object(batch, index=False).to_numpy().tobytes())
        return digest.hexdigest()

    def _features_of(self, chosen: np.ndarray) -> pd.DataFrame:
        columns = list(self.condition.columns)
        values, read, kept = np.empty((int(chosen.sum()), len(columns))), 0, 0
        for batch in self._batches(columns):
            mine = batch.loc[chosen[read : read + len(batch)], columns].to_numpy(dtype=float)
            values[kept : kept + len(mine)] = mine
            read, kept = read + len(batch), kept + len(mine)
        return pd.DataFrame(values, columns=columns, copy=False)

    def _batches(self, columns: list[str] | None = None) -> Iterator[pd.DataFrame]:
        """Yields some rows at a time, with all columns or only these."""
        with self.folder.reading(run_files.TABLE) as file:
            for batch in batches_in(file, ROWS_AT_ONCE, columns):
                yield batch.to_pandas()


def _thinned(chosen: np.ndarray, outcome: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Returns the chosen rows, or all with the outcome and so many others, drawn at random, that there are `most`."""
    surplus = int(chosen.sum()) - most
    if surplus <= 0:
        return chosen
    others = np.flatnonzero(chosen & ~outcome)
    dropped = np.random.default_rng(seed).permutation(others)[: min(surplus, len(others))]
    thinned = chosen.copy()
    thinned[dropped] = False
    return thinned
