"""A run's training side and one candidate in; its result in grouped cross-validation out."""

from wardround.core.fitting import judge, out_of_fold
from wardround.settings import Settings
from wardround.workflows.training.run import load_run, result_file


def fit_candidate(run: str, name: str, settings: Settings) -> None:
    """Writes candidates/<name>.json. Imputation and scaling are fitted anew without each fold."""
    from wardround.core.candidates.registry import CANDIDATES

    opened = load_run(run, settings)
    train, _ = opened.sides()
    candidate = CANDIDATES[name]
    scores = out_of_fold(candidate, train.features, train.outcome, train.folds, opened.request.seed)
    result = judge(candidate, train.outcome, scores)
    opened.folder.write_json(result_file(name), result.model_dump(mode="json"))
