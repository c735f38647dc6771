"""Runs all steps of a training in one process: what the DAG does, without Airflow."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from wardround.adapters.models.store import ModelStore
from wardround.core import run_files
from wardround.core.progress import Progress
from wardround.evaluation.comparison import Comparison
from wardround.settings import Settings
from wardround.training.model import ModelCard
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

T = TypeVar("T")


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
    run = _step("load", lambda: load(request, settings), progress)
    opened(run)
    return _finish(run, settings, by, progress)


def resume(run: str, settings: Settings, by: str, progress: Progress) -> Trained:
    """Completes a run that was stopped; stays, table and candidates that are complete are not made again.

    Raises RunNotFound, and whatever `train` raises.
    """
    opened = load_run(run, settings)
    if not opened.folder.exists(run_files.LEFT_OUT):  # the last file that `load` writes
        _step("load", lambda: load(opened.request.model_copy(update={"run": run}), settings), progress)
    return _finish(run, settings, by, progress)


def _finish(run: str, settings: Settings, by: str, progress: Progress) -> Trained:
    names = _step("build_table", lambda: _candidates(run, settings), progress)
    _fit_candidates(run, names, settings, progress)
    _step("evaluate", lambda: evaluate(run, settings), progress)
    _step("check_leakage", lambda: check_leakage(run, settings), progress)
    version = _step("write_card", lambda: write_card(run, settings), progress)
    comparison = _step("compare", lambda: compare(run, settings), progress)
    live = _step("promote", lambda: _promote_unasked(run, comparison, by, settings), progress)
    card = ModelStore(settings.models).card(comparison.condition, version)
    return Trained(run, version, live, card, comparison)


def _candidates(run: str, settings: Settings) -> list[str]:
    folder = load_run(run, settings).folder
    if folder.exists(run_files.CANDIDATES):  # the last file that `build_table` writes
        return list(folder.read_json(run_files.CANDIDATES))
    return build_table(run, settings)


def _fit_candidates(run: str, names: Sequence[str], settings: Settings, progress: Progress) -> None:
    folder = load_run(run, settings).folder
    progress("fit_candidate", 0, len(names))
    for done, name in enumerate(names, start=1):
        if not folder.exists(run_files.of_candidate(name)):
            fit_candidate(run, name, settings)
        progress("fit_candidate", done, len(names))


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
