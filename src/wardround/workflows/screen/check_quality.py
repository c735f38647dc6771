"""Checks the feature rows of all chunks against the suite: sets rows aside, or stops before anything is written."""

from collections.abc import Callable, Iterable

import pandas as pd

from wardround.adapters.files.frame_files import FrameFiles
from wardround.core import run_files
from wardround.errors import QualityError
from wardround.quality.suite import QualityResult
from wardround.settings import Settings
from wardround.spec.conditions import Condition
from wardround.workflows.screen.run import Run, load_run

Validate = Callable[[Iterable[pd.DataFrame], Condition], QualityResult]


def _validate(parts: Iterable[pd.DataFrame], condition: Condition) -> QualityResult:
    # Great Expectations takes seconds to import.
    from wardround.adapters.expectations import validate

    return validate(parts, condition)


def check_quality(run: str, settings: Settings, validate: Validate = _validate) -> None:
    """Writes quality.json (counts) and quality_failed.json (stay_id -> the rule that its row broke).

    Args:
        validate: `adapters.expectations.validate`, or a `GateProcess` that calls it in another process.

    Raises QualityError if more than the share `condition.quality.max_set_aside` of the rows broke the suite.
    """
    opened = load_run(run, settings)
    with opened.step("check_quality") as step:
        result = validate(_features(opened), opened.condition)
        opened.folder.write_json(run_files.QUALITY, result.model_dump(mode="json"))
        opened.folder.write_json(run_files.QUALITY_FAILED, dict(sorted(result.failing.items())))
        step.count(rows=result.rows, set_aside=result.set_aside)
    limit = opened.condition.quality.max_set_aside
    if result.set_aside_share > limit:
        raise QualityError(
            f"run {run}: {result.set_aside} of {result.rows} feature rows broke the suite, expected at most "
            f"{limit:.0%}; nothing was written; see {run_files.QUALITY} for the rules"
        )


def _features(opened: Run) -> Iterable[pd.DataFrame]:
    """Returns the features of each extracted chunk; a chunk whose task failed is accounted for in the ledger."""
    names = [run_files.of_chunk(chunk, run_files.FEATURES) for chunk in opened.chunks()]
    there = tuple(name for name in names if opened.folder.exists(name))
    return FrameFiles(opened.folder.url, there) if there else [opened.no_features()]
