"""All steps of a training in turn, in one process: what the DAG does without Airflow."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from wardround.adapters.model_store import ModelStore
from wardround.core.evaluation.comparison import Comparison
from wardround.core.model import ModelCard
from wardround.settings import Settings
from wardround.workflows.training.build_table import build_table
from wardround.workflows.training.check_leakage import check_leakage
from wardround.workflows.training.compare import compare
from wardround.workflows.training.evaluate import evaluate
from wardround.workflows.training.fit_candidate import fit_candidate
from wardround.workflows.training.load import load
from wardround.workflows.training.promote import is_live, promote, why_unasked
from wardround.workflows.training.request import TrainingRequest
from wardround.workflows.training.write_card import write_card

T = TypeVar("T")
Progress = Callable[[str, int, int], None]  # step, units done, units in all


class Trained(NamedTuple):
    """What a training left: its run, the version in the store, whether it is live, its card, and how it compares."""

    run: str
    version: str
    live: bool
    card: ModelCard
    comparison: Comparison


def train(request: TrainingRequest, settings: Settings, by: str, progress: Progress) -> Trained:
    """Trains and stores a model, which goes live if its gates let it and the request says that nobody need be asked.

    `by` says who or what trains. A promotion gate that failed is no error here: see `comparison.failed`.

    Raises SpecError, SourceDataError, TrainingError or ModelError.
    """
    run = _step("load", lambda: load(request, settings), progress)
    names = _step("build_table", lambda: build_table(run, settings), progress)
    progress("fit_candidate", 0, len(names))
    for done, name in enumerate(names, start=1):
        fit_candidate(run, name, settings)
        progress("fit_candidate", done, len(names))
    _step("evaluate", lambda: evaluate(run, settings), progress)
    _step("check_leakage", lambda: check_leakage(run, settings), progress)
    version = _step("write_card", lambda: write_card(run, settings), progress)
    comparison = _step("compare", lambda: compare(run, settings), progress)
    live = _step("promote", lambda: _promote_unasked(run, comparison, by, settings), progress)
    return Trained(run, version, live, ModelStore(settings.models).card(request.condition, version), comparison)


def _promote_unasked(run: str, comparison: Comparison, by: str, settings: Settings) -> bool:
    why = why_unasked(run, settings)
    if why and not comparison.failed:
        promote(run, by, why, settings)
    return is_live(run, settings)


def _step(name: str, work: Callable[[], T], progress: Progress) -> T:
    progress(name, 0, 1)
    result = work()
    progress(name, 1, 1)
    return result
