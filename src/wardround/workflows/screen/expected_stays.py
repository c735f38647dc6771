"""Compares the number of stays found with the condition's minimum and the run before, and keeps it in census.json.

The stays found are patients, whatever is wrong with their number: they are screened, and the run then ends with
CensusImplausible (see `require_complete`).
"""

from itertools import islice
from typing import Final

import pandas as pd

from wardround.adapters.files.folder import Folder
from wardround.adapters.files.run_folder import RunFolder, runs_before
from wardround.core import run_files
from wardround.core.expected_stays import Census, Question, RunBefore, doubt
from wardround.settings import Settings
from wardround.spec.base import format_duration
from wardround.workflows.screen.run import Run

_COMPARED_WITHIN: Final = pd.Timedelta(days=7)
"""An older run says little about today's ward."""
_READ_TOGETHER: Final = 25
"""The censuses of this many earlier runs are read at a time, until one is found that asked the same question. Between
two rounds of a ward there may be hundreds: runs of other sources, and of single patients requested by id."""


def count_stays(opened: Run, found: int, settings: Settings) -> Census:
    """Writes and returns census.json: how many stays were found, what was expected, and whether that is in doubt."""
    cohort = opened.condition.cohort
    # A request for patients by their ids knows how many there are, and each of them is accounted for.
    asked_for = opened.cohort_source.kind == "patients"
    before = None if asked_for else _run_before(opened, settings)
    census = Census(
        of=_question(opened),
        found=found,
        at_least=cohort.at_least,
        may_fall_by=cohort.may_fall_by,
        before=before,
        doubt="" if asked_for or opened.request.accept_census else doubt(found, before, cohort),
    )
    opened.folder.write_json(run_files.CENSUS, census.as_json())
    return census


def census_of(folder: RunFolder) -> Census:
    """Returns what `count_stays` wrote; empty for a run without that file."""
    return Census.model_validate(folder.read_json_or(run_files.CENSUS, {}))


def _question(opened: Run) -> Question:
    request, condition = opened.request, opened.condition
    return Question(
        condition=request.condition,
        source=request.source,
        cohort=opened.cohort_source.model_dump(mode="json", exclude={"patients"}),
        look_back=format_duration(request.look_back or condition.cohort.look_back),
    )


def _run_before(opened: Run, settings: Settings) -> RunBefore | None:
    """Returns the latest run of an earlier as_of, within a week, with the same question and a census not in doubt."""
    question = _question(opened)
    since = opened.as_of - _COMPARED_WITHIN
    earlier = runs_before(settings.runs, opened.request.condition, opened.as_of, since)
    while some := list(islice(earlier, _READ_TOGETHER)):
        held = Folder(settings.runs).found_of(f"{run}/{run_files.CENSUS}" for run in some)
        for run in some:
            census = Census.model_validate_json(held.get(f"{run}/{run_files.CENSUS}", b"{}"))
            if census and census.of == question and not census.doubt:
                return RunBefore(run=run, found=census.found)
    return None
