"""A training run: opened once, and loaded again by each of its tasks."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

import pandas as pd

from wardround.adapters.files.run_folder import RunFolder, run_id, runs_in
from wardround.adapters.files.stored_request_file import read_request, write_request
from wardround.candidates.names import CANDIDATE_NAMES
from wardround.core import run_files
from wardround.core.run_overview import TRAINING, RunName
from wardround.core.stored_request import StoredTraining
from wardround.errors import TrainingError
from wardround.evaluation.results import Task
from wardround.results.training_hours import TrainingHours
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
from wardround.workflows.train.table import Table


@dataclass(frozen=True)
class Run:
    """An opened run: its id, folder, request and spec."""

    id: str
    folder: RunFolder
    request: TrainingRequest
    condition: Condition

    @property
    def label(self) -> Label:
        return label_of(self.condition, self.request.label, self.request.onset, self.request.suspicion)

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

    @property
    def table(self) -> Table:
        return Table(self.folder, self.condition, self.request.split, self.task.most_outcomes)

    def fitted_rows(self) -> TrainingRows:
        """Returns the rows that the request's design fits models to."""
        return self.table.fitted(self.request.fitted_on, self.request.seed)

    @property
    def training_hours(self) -> TrainingHours:
        """The hours since admission that the run's model covers. Raises TrainingError if no such hours were found."""
        if not self.folder.exists(run_files.TRAINING_HOURS):
            raise TrainingError(f"run {self.id}: an earlier release opened it, and it cannot be continued; train again")
        return TrainingHours.model_validate(self.folder.read_json(run_files.TRAINING_HOURS))

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
