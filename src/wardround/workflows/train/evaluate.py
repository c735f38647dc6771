"""Chooses a candidate, fits it to all training patients, and scores the test set once."""

from typing import cast

import pandas as pd

from wardround.candidates.registry import CANDIDATES
from wardround.core import run_files
from wardround.evaluation.calibration import calibrated
from wardround.evaluation.importance import importance_of
from wardround.evaluation.measured import AboutModel, measured
from wardround.evaluation.results import Evaluated, Policy
from wardround.evaluation.shown_reasons import shown_reasons
from wardround.evaluation.tallies import Scores
from wardround.results.bands import thresholds_from
from wardround.results.rationale import Columns
from wardround.settings import Settings
from wardround.training.fitting import choose, fit, inputs_from
from wardround.workflows.train.run import Run, load_run, step_of


def evaluate(run: str, settings: Settings) -> str:
    """Writes the model file and evaluation.json; returns the name of the chosen candidate."""
    with step_of(run, "evaluate", settings) as step:
        opened = load_run(run, settings)
        train, test = opened.sides()
        results = opened.results()
        chosen = choose(results)
        result, candidate, seed = results[chosen], CANDIDATES[chosen], opened.request.seed
        fitted, imputation = fit(candidate, train.rows, seed, result.settings)
        inputs = inputs_from(test.features, imputation)
        scores = Scores(calibrated(fitted.predict(inputs), result.calibration), result.threshold)
        compared = Columns.of(opened.condition, imputation)
        shown = shown_reasons(fitted, inputs, test.features, compared)
        importance = importance_of(fitted, inputs, opened.condition.columns).model_copy(update={"reasons": shown})
        policy = cast(Policy, result.policy)  # only a model that was trained elsewhere has none
        found = measured(test.frame, scores, AboutModel(opened.task, policy, importance, _onsets(opened)), seed)
        evaluated = Evaluated(
            chosen=chosen,
            imputation=imputation,
            thresholds=thresholds_from(result.threshold, opened.condition.bands),
            calibration=result.calibration,
            metrics=found.metrics,
            evaluation=found.evaluation,
        )
        opened.folder.write_bytes(candidate.file_name, fitted.dump())
        opened.folder.write_json(run_files.EVALUATION, evaluated.model_dump(mode="json"))
        step.count(rows=len(test.frame))
        step.name(candidate=chosen)
    return chosen


def _onsets(run: Run) -> pd.DataFrame | None:
    return run.folder.read_frame(run_files.ONSETS) if run.folder.exists(run_files.ONSETS) else None
