"""Judges a run's table and evaluation by the gates against leakage. A gate that fails stops the training."""

from typing import Final

import pandas as pd

from wardround.candidates.registry import CANDIDATES
from wardround.core import run_files
from wardround.errors import TrainingError
from wardround.evaluation.gates import VERDICTS, GateResult
from wardround.evaluation.results import Evaluated
from wardround.settings import Settings
from wardround.training.leakage import (
    dominant_feature,
    explained,
    failed,
    patient_overlap,
    permuted_labels,
    too_good,
)
from wardround.workflows.train.run import Run, load_run, step_of

_TO_LOOK_AT: Final = 3


def check_leakage(run: str, settings: Settings) -> None:
    """Writes gates.json; runs after `evaluate`. Then raises TrainingError if a gate failed."""
    with step_of(run, "check_leakage", settings) as step:
        opened = load_run(run, settings)
        found = tuple(explained(gate, opened.request.explained) for gate in _found(opened))
        step.count_reasons("gates", (VERDICTS[gate.passed] for gate in found))
        opened.folder.write_json(run_files.GATES, [gate.model_dump(mode="json") for gate in found])
        stopped = failed(found)
        if stopped:
            raise TrainingError("\n".join(f"run {run}, gate {gate.name}: {gate.message}" for gate in stopped))


def _found(run: Run) -> tuple[GateResult, ...]:
    evaluated = Evaluated.model_validate(run.folder.read_json(run_files.EVALUATION))
    train, test = run.sides()
    candidate, limits, seed = CANDIDATES[evaluated.chosen], run.condition.leakage, run.request.seed
    setting = {**run.results()[evaluated.chosen].settings, **candidate.thrift}
    important = [each.column for each in evaluated.evaluation.importance.columns[:_TO_LOOK_AT]]
    return (
        patient_overlap(*(pd.concat([train.frame[name], test.frame[name]]) for name in ("patient_id", "fold"))),
        permuted_labels(candidate, train.rows, setting, limits, seed),
        dominant_feature(candidate, train.rows, setting, limits, seed),
        too_good(evaluated.metrics["auroc"], test.outcome, test.patients, important, limits),
    )
