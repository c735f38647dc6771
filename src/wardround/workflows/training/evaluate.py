"""The candidates' results in; the chosen one, fitted to all training patients and scored once on the test side, out."""

from wardround.core.bands import thresholds_from
from wardround.core.fitting import choose, fit, inputs_from, medians
from wardround.core.metrics import measure_with_intervals
from wardround.settings import Settings
from wardround.workflows.training.run import load_run


def evaluate(run: str, settings: Settings) -> str:
    """Writes the model file and evaluation.json; gives the name of the chosen candidate."""
    from wardround.core.candidates.registry import CANDIDATES

    opened = load_run(run, settings)
    train, test = opened.sides()
    results = opened.results()
    chosen = choose(results)
    candidate, threshold, seed = CANDIDATES[chosen], results[chosen].threshold, opened.request.seed
    imputation = medians(train.features)
    fitted = fit(candidate, train.features, train.outcome, seed)
    scores = fitted.predict(inputs_from(test.features, imputation))
    metrics = measure_with_intervals(test.outcome, scores, threshold, test.patients, seed)
    opened.folder.write_bytes(candidate.file_name, fitted.dump())
    evaluation = {
        "chosen": chosen,
        "imputation": imputation,
        "thresholds": thresholds_from(threshold, opened.condition.bands),
        "metrics": {name: metric.model_dump() for name, metric in metrics.items()},
    }
    opened.folder.write_json("evaluation.json", evaluation)
    return chosen
