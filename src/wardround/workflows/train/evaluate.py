"""Chooses a candidate, fits it to all training patients, and scores the test set once."""

from typing import Final, cast

import numpy as np
import pandas as pd

from wardround.candidates.registry import CANDIDATES
from wardround.core import run_files
from wardround.evaluation.calibration import calibrated
from wardround.evaluation.importance import importance_of
from wardround.evaluation.measured import AboutModel, measured
from wardround.evaluation.results import Definition, Design, Evaluated, Policy, Predictions
from wardround.evaluation.shown_reasons import shown_reasons
from wardround.evaluation.tallies import Scores
from wardround.results.bands import MODERATE, thresholds_from
from wardround.results.rationale import Columns
from wardround.settings import Settings
from wardround.training.fitting import TrainingRows, choose, fit, inputs_from
from wardround.workflows.train.run import Run, load_run, step_of
from wardround.workflows.train.table import Rows

# Contributions are explained on at most so many rows of the test set.
_TO_EXPLAIN: Final = 10_000


def evaluate(run: str, settings: Settings) -> str:
    """Writes the model file and evaluation.json; returns the name of the chosen candidate."""
    with step_of(run, "evaluate", settings) as step:
        opened = load_run(run, settings)
        table, rows = opened.table, opened.fitted_rows()
        results = opened.results()
        chosen = choose(results)
        result, candidate, seed = results[chosen], CANDIDATES[chosen], opened.request.seed
        learned = fit(candidate, rows, seed, result.settings)
        fitted, imputation = learned
        test, features = table.side(on_test=True), table.some_of_test(_TO_EXPLAIN)
        inputs = inputs_from(features, imputation)
        scores = Scores(calibrated(table.scored(learned.scores), result.calibration), result.threshold)
        compared = Columns.of(opened.condition, imputation)
        shown = shown_reasons(fitted, inputs, features, compared)
        importance = importance_of(fitted, inputs, opened.condition.columns).model_copy(update={"reasons": shown})
        policy = cast(Policy, result.policy)  # only a model of an earlier release has none
        definitions, outcomes = _definitions(opened)
        thresholds = thresholds_from(result.threshold, opened.condition.bands)
        about = AboutModel(
            task=opened.task,
            policy=policy,
            importance=importance,
            design=_design(opened, rows, test),
            lock_out=opened.condition.lock_out,
            moderate=thresholds[MODERATE],
            definitions=definitions,
            outcomes=outcomes,
        )
        found = measured(test.frame, scores, test.sample, about)
        evaluated = Evaluated(
            chosen=chosen,
            imputation=imputation,
            thresholds=thresholds,
            calibration=result.calibration,
            metrics=found.metrics,
            evaluation=found.evaluation,
        )
        opened.folder.write_bytes(candidate.file_name, fitted.dump())
        opened.folder.write_json(run_files.EVALUATION, evaluated.model_dump(mode="json"))
        step.count(rows=len(test.frame))
        step.name(candidate=chosen)
    return chosen


def _definitions(run: Run) -> tuple[tuple[Definition, ...], pd.DataFrame]:
    if not run.folder.exists(run_files.DEFINED):
        return (), pd.DataFrame()
    found = run.folder.read_json(run_files.DEFINITIONS)
    return tuple(Definition.model_validate(each) for each in found), run.folder.read_frame(run_files.DEFINED)


def _design(run: Run, rows: TrainingRows, test: Rows) -> Design:
    below = run.folder.read_json(run_files.ROWS)["below_minimum_data"]
    return Design(
        fitted_on=run.request.fitted_on,
        fitted=_predictions(rows.outcome),
        calibrated=_predictions(run.table.side(on_test=False).outcome),
        judged=_predictions(test.outcome),
        below_minimum_data=below,
    )


def _predictions(outcome: np.ndarray) -> Predictions:
    return Predictions(rows=len(outcome), positives=int(outcome.sum()))
