"""Runs all steps of a training in one process: what the DAG does, without Airflow."""

from collections.abc import Callable
from typing import NamedTuple

from wardround.core.progress import Progress
from wardround.evaluation.comparison import Comparison
from wardround.settings import Settings
from wardround.training.model import ModelCard
from wardround.workflows.step_loop import Steps
from wardround.workflows.stores import model_store
from wardround.workflows.train.build_table import build_table
from wardround.workflows.train.check_leakage import check_leakage
from wardround.workflows.train.compare import compare
from wardround.workflows.train.evaluate import evaluate
from wardround.workflows.train.fit_candidate import fit_candidate
from wardround.workflows.train.load import load
from wardround.workflows.train.promote import is_live, promote, why_unasked
from wardround.workflows.train.request import TrainingRequest
from wardround.workflows.train.run import load_run
from wardround.workflows.train.write_card import write_card


class Trained(NamedTuple):
    """The result of a training: its run, the version in the store, whether it is live, its card, and the comparison."""

    run: str
    version: str
    live: bool
    card: ModelCard
    comparison: Comparison


def train(
    request: TrainingRequest,
    settings: Settings,
    by: str,
    progress: Progress,
    opened: Callable[[str], None] = lambda _run: None,
) -> Trained:
    """Trains and stores a model, which goes live if its gates pass and the request does not ask for approval.

    `by` says who or what trains; `opened` is called with the run's name once the run can be resumed. A promotion gate
    that failed is not an error here: see `comparison.failed`.

    Raises SpecError, SourceDataError, TrainingError or ModelError.
    """
    steps = Steps(progress)
    run = steps.run("load", lambda: load(request, settings))
    opened(run)
    return _after_load(run, settings, by, steps)


def resume(run: str, settings: Settings, by: str, progress: Progress) -> Trained:
    """Completes a run that was stopped; stays, table and candidates that are complete are not made again.

    Raises RunNotFound, and whatever `train` raises.
    """
    opened, steps = load_run(run, settings), Steps(progress)
    request = opened.request.model_copy(update={"run": run})
    steps.unless(opened.loaded, "load", lambda: load(request, settings))
    return _after_load(run, settings, by, steps)


def _after_load(run: str, settings: Settings, by: str, steps: Steps) -> Trained:
    opened = load_run(run, settings)
    steps.unless(opened.has_table, "build_table", lambda: build_table(run, settings))
    names, is_fitted = opened.to_fit(), opened.is_fitted
    steps.each("fit_candidate", names, lambda name: fit_candidate(run, name, settings), is_fitted)
    steps.run("evaluate", lambda: evaluate(run, settings))
    steps.run("check_leakage", lambda: check_leakage(run, settings))
    version = steps.run("write_card", lambda: write_card(run, settings))
    comparison = steps.run("compare", lambda: compare(run, settings))
    live = steps.run("promote", lambda: _promote_unasked(run, comparison, by, settings))
    card = model_store(settings).card(comparison.condition, version)
    return Trained(run, version, live, card, comparison)


def _promote_unasked(run: str, comparison: Comparison, by: str, settings: Settings) -> bool:
    why = why_unasked(run, settings)
    if why and not comparison.failed:
        promote(run, by, why, settings)
    return is_live(run, settings)
