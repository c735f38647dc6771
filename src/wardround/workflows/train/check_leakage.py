"""Judges a run's table and evaluation by the gates against leakage. A gate that fails stops the training."""

from typing import Final, NamedTuple

import pandas as pd

from wardround.candidates.registry import CANDIDATES
from wardround.core import run_files
from wardround.errors import TrainingError
from wardround.evaluation.by_time import ByTime
from wardround.evaluation.gates import VERDICTS, GateResult
from wardround.evaluation.results import Evaluated
from wardround.settings import Settings
from wardround.training.clocks import TimeScores, clocks_in
from wardround.training.fitting import for_a_sample
from wardround.training.leakage import (
    dominant_feature,
    examined,
    explained,
    failed,
    patient_overlap,
    permuted_labels,
    too_good,
)
from wardround.workflows.train.run import Run, load_run, step_of

_TO_LOOK_AT: Final = 3


class _Found(NamedTuple):
    """What the gates found, and what the ranking owes to time; None without an input that is a time."""

    gates: tuple[GateResult, ...]
    by_time: ByTime | None


def check_leakage(run: str, settings: Settings) -> None:
    """Writes gates.json and by_time.json; runs after `evaluate`. Then raises TrainingError if a gate failed."""
    with step_of(run, "check_leakage", settings) as step:
        opened = load_run(run, settings)
        found = _found(opened)
        gates = tuple(explained(gate, opened.request.explained) for gate in found.gates)
        step.count_reasons("gates", (VERDICTS[gate.passed] for gate in gates))
        by_time = found.by_time.model_dump(mode="json") if found.by_time else None
        opened.folder.write_json(run_files.BY_TIME, by_time)
        opened.folder.write_json(run_files.GATES, [gate.model_dump(mode="json") for gate in gates])
        stopped = failed(gates)
        if stopped:
            raise TrainingError("\n".join(f"run {run}, gate {gate.name}: {gate.message}" for gate in stopped))


def _found(run: Run) -> _Found:
    evaluated = Evaluated.model_validate(run.folder.read_json(run_files.EVALUATION))
    table, fitted = run.table, run.fitted_rows()
    train, test = table.side(on_test=False), table.side(on_test=True)
    candidate, limits, seed = CANDIDATES[evaluated.chosen], run.condition.leakage, run.request.seed
    important = [each.column for each in evaluated.evaluation.importance.columns[:_TO_LOOK_AT]]
    clocks, some = clocks_in(table.clocks()), examined(fitted, seed)
    chosen = {**run.results()[evaluated.chosen].settings, **candidate.thrift}
    setting = for_a_sample(candidate, chosen, len(some.outcome) / len(fitted.outcome))
    time = TimeScores.of(candidate, some, setting, clocks, seed) if clocks else None
    gates = (
        patient_overlap(*(pd.concat([train.frame[name], test.frame[name]]) for name in ("patient_id", "fold"))),
        permuted_labels(candidate, fitted, setting, limits, seed),
        dominant_feature(candidate, fitted, setting, limits, seed, time),
        too_good(evaluated.metrics["auroc"], test.outcome, test.patients, important, limits),
    )
    return _Found(gates, time.figures() if time else None)
