"""Training: one function per Airflow task, over a run's folder; `train` is all of them in turn.

load -> build_table -> fit_candidate (each candidate) -> evaluate -> check_leakage -> write_card -> promote.
Arguments and results are small: run ids, names of candidates, a version. The test patients are scored in `evaluate`
only, once, by the candidate that cross-validation chose.
"""

from wardround.workflows.training.build_table import build_table
from wardround.workflows.training.check_leakage import check_leakage
from wardround.workflows.training.evaluate import evaluate
from wardround.workflows.training.fit_candidate import fit_candidate
from wardround.workflows.training.load import load
from wardround.workflows.training.promote import promote
from wardround.workflows.training.request import TrainingRequest
from wardround.workflows.training.train import train
from wardround.workflows.training.write_card import write_card

__all__ = [
    "TrainingRequest",
    "build_table",
    "check_leakage",
    "evaluate",
    "fit_candidate",
    "load",
    "promote",
    "train",
    "write_card",
]
