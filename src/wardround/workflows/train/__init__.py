"""Training: one function per Airflow task, each on a run's folder; `train` calls all of them in order.

load -> build_table -> fit_candidate (each candidate) -> evaluate -> check_leakage -> write_card -> compare -> promote.
Arguments and results are small: run ids, names of candidates, a version. The test patients decide nothing about the
model: `evaluate` scores them with the candidate that cross-validation chose, `compare` beside the live model.
"""

from wardround.workflows.train.build_table import build_table
from wardround.workflows.train.check_leakage import check_leakage
from wardround.workflows.train.compare import compare, comparison_of, require_gates
from wardround.workflows.train.evaluate import evaluate
from wardround.workflows.train.fit_candidate import fit_candidate
from wardround.workflows.train.load import load
from wardround.workflows.train.promote import is_live, leave, promote, why_unasked, withdrawal
from wardround.workflows.train.request import TrainingRequest, training_request
from wardround.workflows.train.run import check_request
from wardround.workflows.train.train import resume, train
from wardround.workflows.train.versions import compare_versions
from wardround.workflows.train.write_card import write_card

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
