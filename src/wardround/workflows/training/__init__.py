"""Training: one function per Airflow task, over a run's folder; `train` is all of them in turn.

load -> build_table -> fit_candidate (each candidate) -> evaluate -> check_leakage -> write_card -> compare -> promote.
Arguments and results are small: run ids, names of candidates, a version. The test patients decide nothing about the
model: `evaluate` scores them with the candidate that cross-validation chose, `compare` beside the live model.
"""

from wardround.workflows.training.build_table import build_table
from wardround.workflows.training.check_leakage import check_leakage
from wardround.workflows.training.compare import compare, comparison_of, require_gates
from wardround.workflows.training.evaluate import evaluate
from wardround.workflows.training.fit_candidate import fit_candidate
from wardround.workflows.training.load import load
from wardround.workflows.training.promote import is_live, leave, promote, why_unasked, withdrawal
from wardround.workflows.training.request import TrainingRequest, training_request
from wardround.workflows.training.run import check_request
from wardround.workflows.training.train import resume, train
from wardround.workflows.training.versions import compare_versions
from wardround.workflows.training.write_card import write_card

__all__ = [
    "TrainingRequest",
    "build_table",
    "check_leakage",
    "check_request",
    "compare",
    "compare_versions",
    "comparison_of",
    "evaluate",
    "fit_candidate",
    "is_live",
    "leave",
    "load",
    "promote",
    "require_gates",
    "resume",
    "train",
    "training_request",
    "why_unasked",
    "withdrawal",
    "write_card",
]
