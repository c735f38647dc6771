"""Measures one candidate on a run's training set, in grouped nested cross-validation."""

from wardround.candidates.registry import CANDIDATES
from wardround.core import run_files
from wardround.settings import Settings
from wardround.training.fitting import fold_results, judge
from wardround.training.nested import nested_cross_validation
from wardround.workflows.train.run import load_run, step_of


def fit_candidate(run: str, name: str, settings: Settings) -> None:
    """Writes candidates/<name>.json. Imputation and scaling are fitted again without each fold."""
    with step_of(run, f"fit_candidate {name}", settings) as step:
        opened = load_run(run, settings)
        rows, candidate = opened.sides()[0].rows, CANDIDATES[name]
        nested = nested_cross_validation(candidate, rows, opened.request.budget, opened.request.seed)
        bands, hours = opened.condition.bands, opened.task.hours_per_row
        result = judge(candidate.title, rows.outcome, nested.scores, bands, hours)
        folds = fold_results(rows, nested.scores, nested.by_fold, result)
        complete = result.model_copy(update={"settings": dict(nested.setting), "folds": folds})
        opened.folder.write_json(run_files.of_candidate(name), complete.model_dump(mode="json"))
        step.count(rows=len(rows.outcome), folds=len(folds))
