"""Measures one candidate on a run's training set, in grouped nested cross-validation.

It is fitted to the rows of the request's design, and scores all times at risk of the training patients out of fold:
calibration and threshold must hold where a screening asks, and not only where the trees grew.
"""

import numpy as np

from wardround.candidates.base import Fitted
from wardround.candidates.registry import CANDIDATES
from wardround.core import run_files
from wardround.evaluation.alerts import Alerts
from wardround.settings import Settings
from wardround.training.fitting import OutOfFold, TrainingRows, fit, fold_results, judge
from wardround.training.nested import Nested, nested_cross_validation
from wardround.workflows.train.run import Run, load_run, step_of


def fit_candidate(run: str, name: str, settings: Settings) -> None:
    """Writes candidates/<name>.json. Imputation and scaling are fitted again without each fold."""
    with step_of(run, f"fit_candidate {name}", settings) as step:
        opened = load_run(run, settings)
        rows, candidate = opened.fitted_rows(), CANDIDATES[name]
        nested = nested_cross_validation(candidate, rows, opened.request.budget, opened.request.seed)
        condition, every = opened.condition, opened.table.side(on_test=False)
        alerts = Alerts.of(every.frame, condition.lock_out, opened.task.hours_per_row)
        scores = _out_of_fold(candidate, rows, nested, every.folds, opened)
        judged = OutOfFold(every.outcome, every.folds, scores, every.sample)
        result = judge(candidate.title, judged, condition.bands, alerts)
        folds = fold_results(judged, nested.by_fold, result)
        complete = result.model_copy(update={"settings": dict(nested.setting), "folds": folds})
        opened.folder.write_json(run_files.of_candidate(name), complete.model_dump(mode="json"))
        step.count(rows=len(scores), fitted=len(rows.outcome), folds=len(folds))


def _out_of_fold(
    candidate: type[Fitted], rows: TrainingRows, nested: Nested, folds: np.ndarray, run: Run
) -> np.ndarray:
    """Returns the score of every row of the training set by a model that was fitted without the row's fold."""
    scores = np.full(len(folds), np.nan)
    for fold, setting in nested.by_fold.items():
        learned = fit(candidate, rows.take(rows.folds != fold), run.request.seed, setting)
        scores[folds == fold] = run.table.scored(learned.scores, fold)
    return scores
