"""A training run: opened once, and loaded again by each of its tasks."""

import hashlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from wardround.adapters.files.run_folder import RunFolder, run_id, runs_in
from wardround.adapters.files.stored_request_file import read_request, write_request
from wardround.candidates.names import CANDIDATE_NAMES
from wardround.core import run_files
from wardround.core.run_overview import TRAINING, RunName
from wardround.core.stored_request import StoredTraining
from wardround.errors import TrainingError
from wardround.evaluation.results import Task
from wardround.settings import Settings
from wardround.spec.conditions import Condition, Label
from wardround.spec.digest import spec_digest
from wardround.spec.loading import load_condition
from wardround.training.fitting import CandidateResult, TrainingRows
from wardround.training.labels import label_of
from wardround.training.tasks import task_of
from wardround.workflows.report_places import card_place
from wardround.workflows.steps import Step, logged
from wardround.workflows.train.request import TrainingRequest

# In the column `fold` of the table: a row of the test set, which is in no fold of the cross-validation.
TEST: Final = -1


@dataclass(frozen=True)
class Run:
    """An opened run: its id, folder, request and spec."""

    id: str
    folder: RunFolder
    request: TrainingRequest
    condition: Condition

    @property
    def label(self) -> Label:
        return label_of(self.condition, self.request.label)

    @property
    def task(self) -> Task:
        return task_of(self.label, self.request.at, self.request.horizon)

    @property
    def candidates(self) -> tuple[str, ...]:
        """The names of the candidates to compare. Raises TrainingError for an unknown one."""
        wanted = self.request.candidates or CANDIDATE_NAMES
        unknown = [name for name in wanted if name not in CANDIDATE_NAMES]
        if unknown:
            raise TrainingError(f"--candidates: got {unknown[0]!r}, expected some of: {', '.join(CANDIDATE_NAMES)}")
        return wanted

    def check(self) -> None:
        """Raises TrainingError if the condition lacks the label or the task, or a candidate is unknown."""
        _ = self.task
        if self.request.candidates is not None:
            _ = self.candidates

    def sides(self) -> tuple["Table", "Table"]:
        """Returns the training set and the test set of the table."""
        table = self.folder.read_frame(run_files.TABLE)
        train = table["fold"] != TEST
        return Table(table[train], self.condition), Table(table[~train], self.condition)

    def data_digest(self) -> str:
        """Returns a digest of names and values of the table's columns, in order; however parquet stores them.

        It covers rows, features, outcomes and folds, and therefore which patients are in the test set.
        """
        table = self.folder.read_frame(run_files.TABLE)
        digest = hashlib.sha256("\n".join(table.columns).encode())
        digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
        return digest.hexdigest()

    @property
    def loaded(self) -> bool:
        """Returns whether the stays and their outcomes are known."""
        return self.folder.exists(run_files.LEFT_OUT)  # the last file that `load` writes

    @property
    def has_table(self) -> bool:
        """Returns whether the table is complete, and the candidates to fit are chosen."""
        return self.folder.exists(run_files.CANDIDATES)  # the last file that `build_table` writes

    def is_fitted(self, candidate: str) -> bool:
        """Returns whether the candidate was measured in cross-validation."""
        return self.folder.exists(run_files.of_candidate(candidate))

    def to_fit(self) -> list[str]:
        """Returns the names of the candidates that `build_table` chose, in their order."""
        return list(self.folder.read_json(run_files.CANDIDATES))

    def set_aside(self) -> dict[str, dict[str, int]]:
        """Returns readings that did not become events, counted by variable and reason."""
        found: dict[str, dict[str, int]] = {}
        for name, count in self.folder.read_json(run_files.SET_ASIDE).items():
            variable, reason = name.split(": ", 1)
            found.setdefault(variable, {})[reason] = count
        return found

    def results(self) -> dict[str, CandidateResult]:
        """Returns the result of cross-validation for each candidate, in the candidates' order."""
        found = {name: self.folder.read_json(run_files.of_candidate(name)) for name in self.to_fit()}
        return {name: CandidateResult.model_validate(result) for name, result in found.items()}


@dataclass(frozen=True)
class Table:
    """Predictions: `training.tasks.ROW_COLUMNS`, fold and features."""

    frame: pd.DataFrame
    condition: Condition

    @property
    def features(self) -> pd.DataFrame:
        return self.frame[list(self.condition.columns)]

    @property
    def outcome(self) -> np.ndarray:
        return self.frame["outcome"].to_numpy(dtype=int)

    @property
    def folds(self) -> np.ndarray:
        return self.frame["fold"].to_numpy(dtype=int)

    @property
    def rows(self) -> TrainingRows:
        return TrainingRows(self.features, self.outcome, self.folds, self.patients)

    @property
    def stays(self) -> int:
        return int(self.frame["stay_id"].nunique())

    @property
    def positive_stays(self) -> int:
        """Stays with the outcome in at least one row."""
        return int(self.frame.loc[self.frame["outcome"].astype(bool), "stay_id"].nunique())

    @property
    def patients(self) -> pd.Series:
        return self.frame["patient_id"]


def step_of(run: str, name: str, settings: Settings) -> AbstractContextManager[Step]:
    """Returns a step of the run for the log, with the place of the card."""
    return logged(f"run {run}", name, place=lambda: card_place(run, settings))


def open_run(request: TrainingRequest, settings: Settings) -> Run:
    """Checks the request against the spec and opens the run's folder, empty. Raises SpecError or TrainingError."""
    run = _checked(request, settings)
    _remove_leftovers(settings)
    # A cleared DAG run opens its run again: files of an earlier attempt must not be taken for this one's.
    run.folder.clear()
    opened = {**request.model_dump(mode="json"), "spec_digest": spec_digest(run.condition)}
    write_request(run.folder, StoredTraining.model_validate(opened))
    return run


def _remove_leftovers(settings: Settings) -> None:
    """Removes what killed trainings left half written, which may be gigabytes of features."""
    for run in runs_in(settings.runs):
        if RunName.of(run).kind == "training":
            RunFolder.of(settings.runs, run).remove_leftovers()


def check_request(request: TrainingRequest, settings: Settings) -> None:
    """Raises SpecError for an unknown condition, TrainingError for a label, task or candidate that it does not have."""
    _checked(request, settings)


def _checked(request: TrainingRequest, settings: Settings) -> Run:
    condition = load_condition(request.condition, settings.schemas)
    name = request.run or run_id(f"{TRAINING}{condition.id}", pd.Timestamp(request.created))
    run = Run(name, RunFolder.of(settings.runs, name), request, condition)
    run.check()
    return run


def load_run(run: str, settings: Settings) -> Run:
    """Returns the run as it was opened. Raises RunNotFound, and TrainingError if the spec changed since."""
    folder = RunFolder.existing(settings.runs, run)
    stored = read_request(folder, StoredTraining)
    asked = {key: value for key, value in stored.as_json().items() if key in TrainingRequest.model_fields}
    request = TrainingRequest.model_validate(asked)
    condition = load_condition(request.condition, settings.schemas)
    if spec_digest(condition) != stored.spec_digest:
        raise TrainingError(f"run {run}: the spec changed since the run was opened; train again")
    return Run(run, folder, request, condition)


def run_that_made(condition_id: str, version: str, settings: Settings) -> str | None:
    """Returns the last training run that made this version and still has its table; None if there is none."""
    for run in reversed(runs_in(settings.runs)):
        name = RunName.of(run)
        if name.kind == "training" and name.of_condition == condition_id:
            folder = RunFolder.of(settings.runs, run)
            needed = {run_files.VERSION, run_files.TABLE}
            if folder.held_of(needed) == needed and folder.read_json(run_files.VERSION)["version"] == version:
                return run
    return None
