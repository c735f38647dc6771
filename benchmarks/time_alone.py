"""What the ranking of models owes to the time since the stay began: with it, without it, and by nothing else."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.measure import table
from benchmarks.population import mimic_demo, ward
from wardround.candidates.boosted_trees import BoostedTrees
from wardround.evaluation.by_time import ByTime
from wardround.evaluation.metrics import Metric
from wardround.settings import settings_from
from wardround.training.clocks import TimeScores, clocks_in
from wardround.training.leakage import examined
from wardround.workflows.train import TrainingRequest, build_table, load
from wardround.workflows.train.run import load_run

_SEED: Final = 1
_QUESTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "sepsis, by codes": {"condition": "sepsis"},
    "Sepsis-3 within 6 h": {"condition": "sepsis", "label": "sepsis3", "horizon": timedelta(hours=6)},
    "death in hospital": {"condition": "mortality"},
    "death within 24 h": {"condition": "mortality", "horizon": timedelta(hours=24)},
}


def main() -> None:
    """Fits XGBoost's usual setting to the training set's folds, three times, for each question and data set."""
    rows = []
    for data, mimic in (("MIMIC-IV demo", mimic_demo()), ("simulated ward", ward(1000) / "mimic")):
        for question, asked in _QUESTIONS.items():
            found = _figures(mimic, asked)
            for name in ("auroc", "auprc"):
                parts = (found.all_inputs, found.without_time, found.time_alone)
                rows.append([data, question, f"{found.rows:,}", name.upper(), *(_shown(part[name]) for part in parts)])
    table(
        "out of fold, training set, XGBoost's usual setting; 95 % intervals over patients",
        ["data", "question", "predictions", "figure", "all inputs", "without time", "time alone"],
        rows,
    )


def _figures(mimic: Path, asked: Mapping[str, Any]) -> ByTime:
    with TemporaryDirectory() as folder:
        settings = replace(settings_from({"WARDROUND_VAR": folder}), runs=f"{folder}/runs")
        request = TrainingRequest(mimic=mimic, created=datetime(2026, 3, 10, tzinfo=UTC), seed=_SEED, **asked)
        run = load(request, settings)
        build_table(run, settings)
        opened = load_run(run, settings)
        setting = {**BoostedTrees.settings[0], **BoostedTrees.thrift}
        rows = examined(opened.fitted_rows(), _SEED)
        return TimeScores.of(BoostedTrees, rows, setting, clocks_in(opened.table.clocks()), _SEED).figures()


def _shown(metric: Metric) -> str:
    if metric.value is None or metric.low is None or metric.high is None:
        return f"{metric.value:.3f} (too few)" if metric.value is not None else str(metric.reason)
    return f"{metric.value:.3f} ({metric.low:.3f}-{metric.high:.3f})"


if __name__ == "__main__":
    main()
